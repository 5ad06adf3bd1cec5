import type net from 'node:net';

/** The socket in a lab's folder by which its gateway is told what to do. */
export const gatewaySocket = 'gateway.sock';

/** Passes what either of two connections says to the other; the end of one direction is the end of that one alone. */
export const join = (one: net.Socket, other: net.Socket): void => {
  one
    .on('error', () => other.destroy())
    .pipe(other)
    .on('error', () => one.destroy())
    .pipe(one);
};
