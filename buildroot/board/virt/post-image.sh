#!/bin/sh
# What QEMU's raspi4b boots from this image's card with. A board needs the firmware's files too, which this one has not.
set -e

board_dir=$(dirname "$0")

cp "$board_dir/cmdline.txt" "$board_dir/config.txt" "$BINARIES_DIR"
