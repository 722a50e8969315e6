"""The version of this build, as the package's metadata states it."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("mairror")
except PackageNotFoundError:  # run from a checkout that was never installed
    VERSION = "0+unknown"
