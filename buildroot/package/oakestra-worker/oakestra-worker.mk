################################################################################
#
# oakestra-worker
#
################################################################################

OAKESTRA_WORKER_ARCHIVE = $(call qstrip,$(BR2_PACKAGE_OAKESTRA_WORKER_ARCHIVE))
ifeq ($(OAKESTRA_WORKER_ARCHIVE),)
OAKESTRA_WORKER_SITE = $(call qstrip,$(BR2_PACKAGE_OAKESTRA_WORKER_BUNDLE))
OAKESTRA_WORKER_SITE_METHOD = local
else
OAKESTRA_WORKER_SITE = $(patsubst %/,%,$(dir $(OAKESTRA_WORKER_ARCHIVE)))
OAKESTRA_WORKER_SOURCE = $(notdir $(OAKESTRA_WORKER_ARCHIVE))
endif
OAKESTRA_WORKER_BUNDLE = $(if $(OAKESTRA_WORKER_ARCHIVE),$(@D),$(OAKESTRA_WORKER_SITE))
OAKESTRA_WORKER_LICENSE = Apache-2.0
OAKESTRA_WORKER_PARTS = net-manager.cjs node-engine.cjs one-process.cjs
OAKESTRA_WORKER_OVERLAY = $(BR2_EXTERNAL_OAKESTRA_PATH)/overlay
OAKESTRA_WORKER_CONFIG_DIR = $(call qstrip,$(BR2_PACKAGE_OAKESTRA_WORKER_CONFIG_DIR))

define OAKESTRA_WORKER_CHECK_BUNDLE
	for part in $(OAKESTRA_WORKER_PARTS); do \
		test -s $(OAKESTRA_WORKER_BUNDLE)/$${part} || { \
			echo "$(OAKESTRA_WORKER_BUNDLE) has no $${part}, or an empty one: run 'npm run build:worker', or name another folder in BR2_PACKAGE_OAKESTRA_WORKER_BUNDLE" >&2; \
			exit 1; \
		}; \
	done
endef
OAKESTRA_WORKER_PRE_RSYNC_HOOKS += OAKESTRA_WORKER_CHECK_BUNDLE
OAKESTRA_WORKER_POST_EXTRACT_HOOKS += OAKESTRA_WORKER_CHECK_BUNDLE

# The skeleton has these as links to /tmp: what the worker compiled would be
# gone after each boot, and lie where its logs are.
define OAKESTRA_WORKER_OWN_FOLDERS
	for folder in cache log; do \
		test ! -L $(TARGET_DIR)/var/$${folder} || \
			rm $(TARGET_DIR)/var/$${folder}; \
		mkdir -p $(TARGET_DIR)/var/$${folder}; \
	done
endef

define OAKESTRA_WORKER_INSTALL_TARGET_CMDS
	$(foreach part,$(OAKESTRA_WORKER_PARTS), \
		$(INSTALL) -D -m 0644 $(@D)/$(part) \
			$(TARGET_DIR)/usr/lib/oakestra/$(part)
	)
	$(INSTALL) -D -m 0755 -t $(TARGET_DIR)/usr/bin \
		$(OAKESTRA_WORKER_OVERLAY)/usr/bin/*
	$(INSTALL) -D -m 0755 $(OAKESTRA_WORKER_OVERLAY)/usr/lib/oakestra/apart \
		$(TARGET_DIR)/usr/lib/oakestra/apart
	mkdir -p $(TARGET_DIR)/etc/oakestra
	cp -rT $(OAKESTRA_WORKER_OVERLAY)/etc/oakestra \
		$(TARGET_DIR)/etc/oakestra
	$(if $(OAKESTRA_WORKER_CONFIG_DIR), \
		cp -rT $(OAKESTRA_WORKER_CONFIG_DIR) $(TARGET_DIR)/etc/oakestra)
	ln -sfn oakestra/netmanager $(TARGET_DIR)/etc/netmanager
	$(OAKESTRA_WORKER_OWN_FOLDERS)
endef

define OAKESTRA_WORKER_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 -t $(TARGET_DIR)/etc/init.d \
		$(OAKESTRA_WORKER_OVERLAY)/etc/init.d/*
	$(INSTALL) -D -m 0644 $(OAKESTRA_WORKER_OVERLAY)/usr/lib/oakestra/service.sh \
		$(TARGET_DIR)/usr/lib/oakestra/service.sh
	$(INSTALL) -D -m 0755 $(OAKESTRA_WORKER_OVERLAY)/usr/lib/oakestra/supervise \
		$(TARGET_DIR)/usr/lib/oakestra/supervise
endef

define OAKESTRA_WORKER_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 -t $(TARGET_DIR)/usr/lib/systemd/system \
		$(OAKESTRA_WORKER_OVERLAY)/usr/lib/systemd/system/*
endef

define OAKESTRA_WORKER_PERMISSIONS
	/etc/oakestra d 0700 0 0 - - - - -
	/etc/oakestra/conf.json f 0600 0 0 - - - - -
	/etc/oakestra/netmanager d 0700 0 0 - - - - -
	/etc/oakestra/netmanager/netcfg.json f 0600 0 0 - - - - -
	/etc/oakestra/netmanager/tuncfg.json f 0600 0 0 - - - - -
endef

define OAKESTRA_WORKER_LINUX_CONFIG_FIXUPS
	$(foreach option,NAMESPACES NET_NS CGROUPS MEMCG CGROUP_PIDS INET IPV6 \
		IP_ADVANCED_ROUTER NETFILTER NETFILTER_ADVANCED NF_CONNTRACK \
		NF_TABLES NF_TABLES_INET NF_NAT NFT_CT NFT_NAT NFT_MASQ \
		NFT_REJECT BRIDGE VETH,
		$(call KCONFIG_ENABLE_OPT,CONFIG_$(option))
	)
endef

$(eval $(generic-package))
