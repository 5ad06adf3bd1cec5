/** Addresses of user-mode networking: the guest, and this computer as the guest sees it (QEMU: network emulation). */
export const userNetwork = { board: '10.0.2.15', lab: '10.0.2.2', prefix: 24 } as const;
