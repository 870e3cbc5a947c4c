# Set up a shell with ROS 2 and udp_infer_ros, whose ROS traffic stays on this machine; for bash and zsh, from any folder:
#
#     source dev/env.sh                 # Jazzy
#     ROS=kilted source dev/env.sh      # Kilted
#
# The environment is created or updated first if necessary.

_root="$(cd "$(dirname "${BASH_SOURCE[0]:-${(%):-%x}}")/.." && pwd)"
_lane="${ROS:-jazzy}"
"${PYTHON:-python3}" "$_root/dev/bootstrap.py" "$_lane" || return 1

# Remove the paths of a lane that was sourced before, and hide a ROS installation.
PATH="$(printf %s "$PATH" | sed "s|$_root/build/[a-z]*/bin:||g")"
unset PYTHONPATH PYTHONHOME LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
export PATH="$_root/build/$_lane/bin:$PATH"
export VIRTUAL_ENV="$_root/build/$_lane"
export AMENT_PREFIX_PATH="$VIRTUAL_ENV"
export ROS_VERSION=2 ROS_PYTHON_VERSION=3 ROS_DISTRO="$_lane"
export RMW_IMPLEMENTATION=rmw_fastrtps_cpp

# No traffic leaves the machine, and each checkout and lane has its own domain.
# The ports of domains 1 to 101 are outside the range of ephemeral ports of Linux.
export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
unset ROS_STATIC_PEERS
export ROS_DOMAIN_ID="${ROS_DOMAIN_ID:-$(($(printf %s "$VIRTUAL_ENV" | cksum | cut -d ' ' -f 1) % 101 + 1))}"

# Fast DDS of Jazzy knows only the old name; that of Kilted warns about it.
unset FASTRTPS_DEFAULT_PROFILES_FILE
[ "$_lane" = jazzy ] && export FASTRTPS_DEFAULT_PROFILES_FILE="$_root/config/fastdds.xml"
export FASTDDS_DEFAULT_PROFILES_FILE="$_root/config/fastdds.xml"
export ROS_LOG_DIR="$_root/build/ros-log"

unset _root _lane
