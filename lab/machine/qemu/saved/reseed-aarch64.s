// Has the kernel make a new key for its random numbers, at once, out of what was written to /dev/random: ioctl
// RNDRESEEDCRNG (Linux: include/uapi/linux/random.h). Standard input is /dev/random. Ends with the error's number, or 0.
	.global _start
_start:
	mov	x0, #0		// standard input
	mov	x1, #0x5207	// RNDRESEEDCRNG
	mov	x8, #29		// ioctl
	svc	#0
	neg	x0, x0
	mov	x8, #93		// exit
	svc	#0
