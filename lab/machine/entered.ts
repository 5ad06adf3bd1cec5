/** Set in the environment of a lab that `enter` of a `MachineKind` started anew. */
export const enteredMark = 'OAKESTRA_LAB_NAMESPACES';

/** Whether this process is one that a kind of machine started anew where its boards can be made. */
export const hasEntered = (): boolean => process.env[enteredMark] !== undefined;
