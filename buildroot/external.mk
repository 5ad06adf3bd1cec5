include $(sort $(wildcard $(BR2_EXTERNAL_OAKESTRA_PATH)/package/*/*.mk))
