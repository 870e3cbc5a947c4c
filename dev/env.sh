# A shell with ROS 2 and udp_infer_ros, confined to this machine; for bash and zsh, from any folder:
#
#     source dev/env.sh                 # Jazzy
#     ROS=kilted source dev/env.sh      # Kilted
#
# It makes the environment first where that is missing or out of date.

_root="$(cd "$(dirname "${BASH_SOURCE[0]:-${(%):-%x}}")/.." && pwd)"
_lane="${ROS:-jazzy}"
"${PYTHON:-python3}" "$_root/dev/bootstrap.py" "$_lane" || return 1

# Leave what a lane before this one put there, and hide a ROS installation that was sourced.
PATH="$(printf %s "$PATH" | sed "s|$_root/build/[a-z]*/bin:||g")"
unset PYTHONPATH PYTHONHOME LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
export PATH="$_root/build/$_lane/bin:$PATH"
export VIRTUAL_ENV="$_root/build/$_lane"
export AMENT_PREFIX_PATH="$VIRTUAL_ENV"
export ROS_VERSION=2 ROS_PYTHON_VERSION=3 ROS_DISTRO="$_lane"
export RMW_IMPLEMENTATION=rmw_fastrtps_cpp

# Nothing leaves the machine, and two checkouts or lanes on it do not hear each other.
# 1 to 101 are the domains whose ports stay clear of those that Linux hands out.
export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
unset ROS_STATIC_PEERS
export ROS_DOMAIN_ID="${ROS_DOMAIN_ID:-$(($(printf %s "$VIRTUAL_ENV" | cksum | cut -d ' ' -f 1) % 101 + 1))}"

# Jazzy's Fast DDS knows the old name only, Kilted's warns about it.
unset FASTRTPS_DEFAULT_PROFILES_FILE
[ "$_lane" = jazzy ] && export FASTRTPS_DEFAULT_PROFILES_FILE="$_root/dev/fastdds.xml"
export FASTDDS_DEFAULT_PROFILES_FILE="$_root/dev/fastdds.xml"
export ROS_LOG_DIR="$_root/build/ros-log"

unset _root _lane
