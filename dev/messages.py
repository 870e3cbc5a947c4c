# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Generate, compile and install a ROS 2 package of messages and services, without CMake.

    build/jazzy/bin/python dev/messages.py dev/vision_msgs

The generators are those that colcon runs. Only the files that Python needs are generated: C
structs, Python classes, and the type supports for Fast DDS (fastrtps_c) and other middlewares
(introspection_c). That takes seconds; with C++ and every type support, it takes a minute and a
dozen more wheels. The files are installed below the interpreter's prefix, as the wheels do.
"""

from concurrent.futures import ThreadPoolExecutor
import os
from pathlib import Path
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from typing import Iterable, List
from xml.etree import ElementTree

import numpy
from rosidl_adapter.msg import convert_msg_to_idl
from rosidl_adapter.srv import convert_srv_to_idl
from rosidl_generator_c.cli import GenerateC
from rosidl_generator_py.cli import GeneratePython
from rosidl_generator_type_description.cli import HashTypeDescription
from rosidl_typesupport_c.cli import GenerateCTypesupport
from rosidl_typesupport_fastrtps_c.cli import GenerateFastRTPSCTypesupport
from rosidl_typesupport_introspection_c.cli import GenerateIntrospectionCTypesupport

PREFIX = Path(sys.prefix)
# In link order: each may need those before it.
GENERATORS = {
    'rosidl_generator_c': GenerateC,
    'rosidl_typesupport_introspection_c': GenerateIntrospectionCTypesupport,
    'rosidl_typesupport_fastrtps_c': GenerateFastRTPSCTypesupport,
    'rosidl_typesupport_c': GenerateCTypesupport,
    'rosidl_generator_py': GeneratePython,
}
# Libraries that generated code calls, for any message.
RUNTIME = ('fastcdr', 'rcutils', 'rmw', 'rosidl_runtime_c', 'rosidl_typesupport_c',
           'rosidl_typesupport_fastrtps_c', 'rosidl_typesupport_fastrtps_cpp',
           'rosidl_typesupport_introspection_c')


class MessagePackage:
    """
    A package of messages that is built and installed.

    :param source: a folder with package.xml, msg/*.msg and srv/*.srv
    :param work: a scratch folder
    """

    def __init__(self, source: Path, work: Path) -> None:
        manifest = ElementTree.parse(source / 'package.xml')
        self.source = source
        self.work = work
        self.name = manifest.findtext('name') or ''
        self.depends = [str(tag.text) for tag in manifest.iterfind('depend')]
        # Fields of messages of dependencies may use builtin_interfaces.
        self.includes = [str(PREFIX / 'share' / name)
                         for name in {*self.depends, 'builtin_interfaces'}]

    def generate(self) -> None:
        """Generate the sources of each library, in a folder of its own."""
        idl = self.work / 'idl'
        files = []
        for path in sorted((self.source / 'msg').glob('*.msg')):
            convert_msg_to_idl(self.source, self.name, Path('msg', path.name), idl / 'msg')
            files.append(f'{idl}:msg/{path.stem}.idl')
        for path in sorted((self.source / 'srv').glob('*.srv')):
            convert_srv_to_idl(self.source, self.name, Path('srv', path.name), idl / 'srv')
            files.append(f'{idl}:srv/{path.stem}.idl')
        hashes = HashTypeDescription('').generate_type_hashes(
            self.name, files, self.includes, idl)
        for library, generator in GENERATORS.items():
            known = {'type_description_files': hashes} if generator is GenerateC else {}
            generator('').generate(
                self.name, files, self.includes, self.work / library / self.name, **known)

    def build(self) -> None:
        """Build the shared libraries, and the extension module that Python imports."""
        for library in GENERATORS:
            folder = self.work / library / self.name
            sources = [path for path in sorted(folder.rglob('*'))
                       if path.suffix in ('.c', '.cpp') and '.ep.' not in path.name]
            self.link(self.objects(sources), self.work / f'lib{self.name}__{library}.so')
        entry = self.work / 'rosidl_generator_py' / self.name
        self.link(self.objects([entry / f'_{self.name}_s.ep.rosidl_typesupport_c.c']),
                  entry / f'{self.name}_s__rosidl_typesupport_c.so')

    def objects(self, sources: Iterable[Path]) -> List[Path]:
        """
        Compile in parallel, one file per core.

        :param sources: C and C++ files
        :return: their object files
        """
        # In the environment, because 50 folders as arguments would hide the compiler's messages.
        include = PREFIX / 'include'
        os.environ['CPATH'] = os.pathsep.join(map(str, (
            *(self.work / library for library in GENERATORS),
            include, *(path for path in include.iterdir() if path.is_dir()),
            sysconfig.get_path('include'), numpy.get_include())))

        def compile_source(source: Path) -> Path:
            target = source.with_suffix('.o')
            compiler = cxx() if source.suffix == '.cpp' else cc()
            run(*compiler, '-O2', '-fPIC', '-c', source, '-o', target)
            return target

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(compile_source, sources))

    def link(self, objects: Iterable[Path], target: Path) -> None:
        """
        Link a shared library with those of this package, its dependencies and the runtime.

        :param objects: object files
        :param target: the library to write
        """
        ours = [path.stem[len('lib'):] for path in self.work.glob('*.so')]
        theirs = [path.stem[len('lib'):] for name in (*self.depends, 'builtin_interfaces')
                  for path in (PREFIX / 'lib').glob(f'lib{name}__rosidl_*.so')]
        run(*cxx(), '-shared', '-o', target, *objects, f'-L{self.work}', f'-L{PREFIX / "lib"}',
            '-Wl,--as-needed', *(f'-l{name}' for name in (*ours, *theirs, *RUNTIME)))

    def install(self) -> None:
        """Copy the libraries, the Python package, the definitions and the index entries."""
        for path in self.work.glob('*.so'):
            shutil.copy2(path, PREFIX / 'lib')

        module = Path(sysconfig.get_path('purelib'), self.name)
        shutil.rmtree(module, ignore_errors=True)
        shutil.copytree(self.work / 'rosidl_generator_py' / self.name, module,
                        ignore=shutil.ignore_patterns('*.c', '*.o'))
        (module / '__init__.py').touch()

        share = PREFIX / 'share' / self.name
        shutil.rmtree(share, ignore_errors=True)
        shutil.copytree(self.source, share)
        shutil.copytree(self.work / 'idl', share, dirs_exist_ok=True)

        index = PREFIX / 'share' / 'ament_index' / 'resource_index'
        (index / 'packages' / self.name).touch()
        (index / 'rosidl_interfaces' / self.name).write_text('\n'.join(
            sorted(f'{path.parent.name}/{path.name}' for path in share.rglob('*')
                   if path.suffix in ('.idl', '.msg', '.srv'))))


def cc() -> List[str]:
    """Return the C compiler as make does: CC if it is set."""
    return shlex.split(os.environ.get('CC') or 'cc')


def cxx() -> List[str]:
    """Return the C++ compiler as make does: CXX if it is set."""
    return [*shlex.split(os.environ.get('CXX') or 'c++'), '-std=c++17']


def run(*command: object) -> None:
    """
    Run a command; exit and print it if it fails.

    :param command: program and arguments
    """
    words = [str(word) for word in command]
    if subprocess.run(words).returncode:
        raise SystemExit(f'failed: {shlex.join(words)}')


def main() -> None:
    """Build and install the package on the command line."""
    # The generators find their templates through the ament index.
    os.environ['AMENT_PREFIX_PATH'] = str(PREFIX)
    with tempfile.TemporaryDirectory(prefix='messages-') as work:
        package = MessagePackage(Path(sys.argv[1]).resolve(), Path(work))
        package.generate()
        package.build()
        package.install()


if __name__ == '__main__':
    main()
