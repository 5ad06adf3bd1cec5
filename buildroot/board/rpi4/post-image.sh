#!/bin/sh
# The SD card: the firmware's boot partition and the root file system.
set -e

board_dir=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/root"

cp "$board_dir/cmdline.txt" "$BINARIES_DIR/rpi-firmware/cmdline.txt"
genimage \
	--rootpath "$work/root" \
	--tmppath "$work/tmp" \
	--inputpath "$BINARIES_DIR" \
	--outputpath "$BINARIES_DIR" \
	--config "$board_dir/genimage.cfg"
