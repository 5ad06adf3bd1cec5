################################################################################
#
# nodejs-prebuilt
#
################################################################################

NODEJS_PREBUILT_VERSION = 24.21.0
ifeq ($(BR2_x86_64),y)
NODEJS_PREBUILT_ARCH = x64
else
NODEJS_PREBUILT_ARCH = arm64
endif
# The official build without npm, as published in the npm registry.
NODEJS_PREBUILT_SOURCE = node-linux-$(NODEJS_PREBUILT_ARCH)-$(NODEJS_PREBUILT_VERSION).tgz
NODEJS_PREBUILT_SITE = https://registry.npmjs.org/node-linux-$(NODEJS_PREBUILT_ARCH)/-
NODEJS_PREBUILT_LICENSE = MIT (core code); MIT, Apache and BSD family licenses (Bundled components)
NODEJS_PREBUILT_LICENSE_FILES = LICENSE
NODEJS_PREBUILT_CPE_ID_VENDOR = nodejs
NODEJS_PREBUILT_CPE_ID_PRODUCT = node.js

define NODEJS_PREBUILT_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/bin/node $(TARGET_DIR)/usr/bin/node
endef

$(eval $(generic-package))
