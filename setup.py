"""The packages of msbench. All else is in pyproject.toml, which cannot both find packages and rename folders."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["msbench", "msbench.*"]),
        "msbench_plugins",
        "msbench_plugins.weights",
        "msbench_leaderboards",
        "msbench_slurm",
    ]
)
