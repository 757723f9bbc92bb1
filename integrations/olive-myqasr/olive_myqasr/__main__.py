"""``python -m olive_myqasr`` prints where the package configuration is."""

from olive_myqasr import PACKAGE_CONFIG

print(PACKAGE_CONFIG)
