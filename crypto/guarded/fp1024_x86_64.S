/* SPDX-License-Identifier: Apache-2.0 */
/* fp1024_x86_64.S - 1024-bit multiplication and Montgomery reduction for the prime of SAKKE Parameter Set 1, with MULX and two
 * carry chains (ADCX, ADOX). crypto/guarded/fp1024.c calls it when the processor has BMI2 and ADX. No branch and no address depends on
 * an operand.
 *
 * Numbers are 16 limbs of 64 bits, the lowest first, worked on as two halves of 8. A block multiplies 8 limbs at (%rsi) by 8
 * limbs at (%rcx) and adds the 8 limbs in %r8..%r15: (2^512-1)^2 + 2^512-1 < 2^1024, so a block's carry has always room. It
 * leaves the lower 8 limbs at (%rdi) and the upper 8 in %r8..%r15. Sums of two blocks may carry out of their top limb; that
 * bit is kept apart and added where it belongs, never into a row. */
#if defined(__x86_64__)

	.text

/* acc (9 limbs, %rbp = 0) = [\r0..\r7] + %rdx * (%rsi); \r0 ends as the new top limb. \low takes the lowest limb. */
.macro ROW r0, r1, r2, r3, r4, r5, r6, r7, low
	xorl	%ebp, %ebp
	mulxq	(%rsi), %rax, %rbx
	adcxq	%rax, \r0
	adoxq	%rbx, \r1
	\low
	mulxq	8(%rsi), %rax, %rbx
	adcxq	%rax, \r1
	adoxq	%rbx, \r2
	mulxq	16(%rsi), %rax, %rbx
	adcxq	%rax, \r2
	adoxq	%rbx, \r3
	mulxq	24(%rsi), %rax, %rbx
	adcxq	%rax, \r3
	adoxq	%rbx, \r4
	mulxq	32(%rsi), %rax, %rbx
	adcxq	%rax, \r4
	adoxq	%rbx, \r5
	mulxq	40(%rsi), %rax, %rbx
	adcxq	%rax, \r5
	adoxq	%rbx, \r6
	mulxq	48(%rsi), %rax, %rbx
	adcxq	%rax, \r6
	adoxq	%rbx, \r7
	mulxq	56(%rsi), %rax, \r0
	adcxq	%rax, \r7
	adcxq	%rbp, \r0
	adoxq	%rbp, \r0
.endm

.macro MULTIPLY i, r0, r1, r2, r3, r4, r5, r6, r7
	movq	8*\i(%rcx), %rdx
	ROW	\r0, \r1, \r2, \r3, \r4, \r5, \r6, \r7, "movq \r0, 8*\i(%rdi)"
.endm

/* The multiplier is what makes the lowest limb vanish; it is kept at (%rdi). %rcx = -1/p mod 2^64. */
.macro REDUCE i, r0, r1, r2, r3, r4, r5, r6, r7
	movq	\r0, %rdx
	imulq	%rcx, %rdx
	movq	%rdx, 8*\i(%rdi)
	ROW	\r0, \r1, \r2, \r3, \r4, \r5, \r6, \r7, ""
.endm

.macro EIGHT what
	\what	0, %r8, %r9, %r10, %r11, %r12, %r13, %r14, %r15
	\what	1, %r9, %r10, %r11, %r12, %r13, %r14, %r15, %r8
	\what	2, %r10, %r11, %r12, %r13, %r14, %r15, %r8, %r9
	\what	3, %r11, %r12, %r13, %r14, %r15, %r8, %r9, %r10
	\what	4, %r12, %r13, %r14, %r15, %r8, %r9, %r10, %r11
	\what	5, %r13, %r14, %r15, %r8, %r9, %r10, %r11, %r12
	\what	6, %r14, %r15, %r8, %r9, %r10, %r11, %r12, %r13
	\what	7, %r15, %r8, %r9, %r10, %r11, %r12, %r13, %r14
	ret
.endm

	.p2align 5
	.type	multiply_block, @function
multiply_block:
	.cfi_startproc
	EIGHT	MULTIPLY
	.cfi_endproc
	.size	multiply_block, . - multiply_block

	.p2align 5
	.type	reduce_block, @function
reduce_block:
	.cfi_startproc
	EIGHT	REDUCE
	.cfi_endproc
	.size	reduce_block, . - reduce_block

/* [\low], [\high] += the product of %rdx and a limb of (%rsi); the last limb of a row makes its new top. */
.macro STEP at, low, high
	mulxq	\at(%rsi), %rax, %rbx
	adcxq	%rax, \low
	adoxq	%rbx, \high
.endm

.macro LAST low, top
	mulxq	56(%rsi), %rax, \top
	adcxq	%rax, \low
	adcxq	%rbp, \top
	adoxq	%rbp, \top
.endm

.macro CLEAR
	.irp r, %r8d, %r9d, %r10d, %r11d, %r12d, %r13d, %r14d, %r15d
	xorl	\r, \r
	.endr
.endm

/* The square of 8 limbs at (%rsi), 16 limbs at (%rdi): products of different limbs once, limb k in register k mod 8; then all of it
 * twice, in one carry chain, and the squares of limbs in the other. */
	.p2align 5
	.type	square_block, @function
square_block:
	.cfi_startproc
	CLEAR
	movq	0(%rsi), %rdx
	xorl	%ebp, %ebp
	STEP	8, %r9, %r10
	STEP	16, %r10, %r11
	STEP	24, %r11, %r12
	STEP	32, %r12, %r13
	STEP	40, %r13, %r14
	STEP	48, %r14, %r15
	LAST	%r15, %r8
	movq	%r9, 8(%rdi)
	movq	%r10, 16(%rdi)
	movq	8(%rsi), %rdx
	xorl	%ebp, %ebp
	STEP	16, %r11, %r12
	STEP	24, %r12, %r13
	STEP	32, %r13, %r14
	STEP	40, %r14, %r15
	STEP	48, %r15, %r8
	LAST	%r8, %r9
	movq	%r11, 24(%rdi)
	movq	%r12, 32(%rdi)
	movq	16(%rsi), %rdx
	xorl	%ebp, %ebp
	STEP	24, %r13, %r14
	STEP	32, %r14, %r15
	STEP	40, %r15, %r8
	STEP	48, %r8, %r9
	LAST	%r9, %r10
	movq	%r13, 40(%rdi)
	movq	%r14, 48(%rdi)
	movq	24(%rsi), %rdx
	xorl	%ebp, %ebp
	STEP	32, %r15, %r8
	STEP	40, %r8, %r9
	STEP	48, %r9, %r10
	LAST	%r10, %r11
	movq	%r15, 56(%rdi)
	movq	%r8, 64(%rdi)
	movq	32(%rsi), %rdx
	xorl	%ebp, %ebp
	STEP	40, %r9, %r10
	STEP	48, %r10, %r11
	LAST	%r11, %r12
	movq	%r9, 72(%rdi)
	movq	%r10, 80(%rdi)
	movq	40(%rsi), %rdx
	xorl	%ebp, %ebp
	STEP	48, %r11, %r12
	LAST	%r12, %r13
	movq	%r11, 88(%rdi)
	movq	%r12, 96(%rdi)
	movq	48(%rsi), %rdx
	xorl	%ebp, %ebp
	LAST	%r13, %r14
	movq	%r13, 104(%rdi)
	movq	%r14, 112(%rdi)
	xorl	%ebp, %ebp
	.irp i, 0, 1, 2, 3, 4, 5, 6, 7
	movq	8*\i(%rsi), %rdx
	mulxq	%rdx, %rax, %rbx
	.if \i == 0
	movq	%rbp, %rcx
	.else
	movq	16*\i(%rdi), %rcx
	.endif
	adcxq	%rcx, %rcx
	adoxq	%rax, %rcx
	movq	%rcx, 16*\i(%rdi)
	.if \i == 7
	movq	%rbp, %rcx
	.else
	movq	16*\i+8(%rdi), %rcx
	.endif
	adcxq	%rcx, %rcx
	adoxq	%rbx, %rcx
	movq	%rcx, 16*\i+8(%rdi)
	.endr
	ret
	.cfi_endproc
	.size	square_block, . - square_block

/* [%r8..%r15] op= 8 limbs at \from */
.macro LIMBS first, next, from
	\first	0+\from, %r8
	\next	8+\from, %r9
	\next	16+\from, %r10
	\next	24+\from, %r11
	\next	32+\from, %r12
	\next	40+\from, %r13
	\next	48+\from, %r14
	\next	56+\from, %r15
.endm

.macro STORE to
	movq	%r8, 0+\to
	movq	%r9, 8+\to
	movq	%r10, 16+\to
	movq	%r11, 24+\to
	movq	%r12, 32+\to
	movq	%r13, 40+\to
	movq	%r14, 48+\to
	movq	%r15, 56+\to
.endm

/* the carry of %r8 through [%r9..%r15] */
.macro CARRY
	adcq	$0, %r9
	adcq	$0, %r10
	adcq	$0, %r11
	adcq	$0, %r12
	adcq	$0, %r13
	adcq	$0, %r14
	adcq	$0, %r15
.endm

.macro ENTER
	.cfi_startproc
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r15, 0
	subq	$104, %rsp
	.cfi_adjust_cfa_offset 104
.endm

.macro LEAVE
	addq	$104, %rsp
	.cfi_adjust_cfa_offset -104
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r12
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	ret
	.cfi_endproc
.endm

/* void fp1024_multiply(uint64_t product[32], const uint64_t a[16], const uint64_t b[16]); product is neither a nor b */
	.globl	fp1024_multiply
	.hidden	fp1024_multiply
	.type	fp1024_multiply, @function
	.p2align 5
fp1024_multiply:
	ENTER
	movq	%rdx, %rcx
	CLEAR
	call	multiply_block		/* a0 b0 */
	addq	$64, %rcx
	addq	$64, %rdi
	call	multiply_block		/* a0 b1 */
	STORE	64(%rdi)
	LIMBS	movq, movq, 0(%rdi)
	addq	$64, %rsi
	subq	$64, %rcx
	call	multiply_block		/* a1 b0 */
	LIMBS	addq, adcq, 64(%rdi)
	sbbq	%rax, %rax
	movq	%rax, (%rsp)
	addq	$64, %rcx
	addq	$64, %rdi
	call	multiply_block		/* a1 b1 */
	xorl	%edx, %edx
	subq	(%rsp), %rdx
	addq	%rdx, %r8
	CARRY
	STORE	64(%rdi)
	LEAVE
	.size	fp1024_multiply, . - fp1024_multiply

/* void fp1024_square(uint64_t square[32], const uint64_t a[16]); not the same memory */
	.globl	fp1024_square
	.hidden	fp1024_square
	.type	fp1024_square, @function
	.p2align 5
fp1024_square:
	ENTER
	call	square_block		/* a0^2 */
	addq	$128, %rdi
	addq	$64, %rsi
	call	square_block		/* a1^2 */
	movq	%rsi, %rcx
	subq	$64, %rsi
	subq	$128, %rdi
	movq	%rdi, %rdx
	leaq	32(%rsp), %rax
	movq	%rdx, 8(%rsp)
	movq	%rax, %rdi
	CLEAR
	call	multiply_block		/* a0 a1, lower half at 32(%rsp) */
	movq	8(%rsp), %rdi
	xorl	%edx, %edx
	.irp i, 0, 8, 16, 24, 32, 40, 48, 56
	movq	32+\i(%rsp), %rax
	adcq	%rax, %rax
	movq	%rax, 32+\i(%rsp)
	.endr
	.irp r, %r8, %r9, %r10, %r11, %r12, %r13, %r14, %r15
	adcq	\r, \r
	.endr
	adcq	$0, %rdx
	.irp i, 0, 8, 16, 24, 32, 40, 48, 56
	movq	32+\i(%rsp), %rax
	adcq	%rax, 64+\i(%rdi)
	.endr
	adcq	%r8, 128(%rdi)
	adcq	%r9, 136(%rdi)
	adcq	%r10, 144(%rdi)
	adcq	%r11, 152(%rdi)
	adcq	%r12, 160(%rdi)
	adcq	%r13, 168(%rdi)
	adcq	%r14, 176(%rdi)
	adcq	%r15, 184(%rdi)
	adcq	%rdx, 192(%rdi)
	.irp i, 200, 208, 216, 224, 232, 240, 248
	adcq	$0, \i(%rdi)
	.endr
	xorl	%eax, %eax
	.irp i, 32, 40, 48, 56, 64, 72, 80, 88
	movq	%rax, \i(%rsp)
	.endr
	LEAVE
	.size	fp1024_square, . - fp1024_square

/* void fp1024_reduce(uint64_t r[16], uint64_t t[32], const uint64_t modulus[17]): r = t / 2^1024 mod p for t < 2^1024 p; t is
 * used up. The modulus is p, then -1/p mod 2^64. */
	.globl	fp1024_reduce
	.hidden	fp1024_reduce
	.type	fp1024_reduce, @function
	.p2align 5
fp1024_reduce:
	ENTER
	movq	%rdi, 8(%rsp)
	movq	%rdx, 16(%rsp)
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	128(%rsi), %rcx
	LIMBS	movq, movq, 0(%rdi)
	call	reduce_block		/* m0 p0 */
	LIMBS	addq, adcq, 64(%rdi)
	sbbq	%rax, %rax
	movq	%rax, (%rsp)
	movq	%rdi, %rcx
	addq	$64, %rdi
	addq	$64, %rsi
	call	multiply_block		/* m0 p1 */
	addq	$1, (%rsp)		/* -1 + 1: carries */
	LIMBS	adcq, adcq, 64(%rdi)
	sbbq	%rax, %rax
	movq	%rax, (%rsp)
	STORE	64(%rdi)
	LIMBS	movq, movq, 0(%rdi)
	subq	$64, %rsi
	movq	128(%rsi), %rcx
	call	reduce_block		/* m1 p0 */
	LIMBS	addq, adcq, 64(%rdi)
	sbbq	%rax, %rax
	addq	%rax, (%rsp)		/* minus the carries into limb 24: 0, -1 or -2 */
	movq	%rdi, %rcx
	addq	$64, %rdi
	addq	$64, %rsi
	call	multiply_block		/* m1 p1 */
	xorl	%edx, %edx
	xorl	%eax, %eax
	subq	(%rsp), %rdx
	addq	%rdx, %r8
	CARRY
	adcq	$0, %rax
	LIMBS	addq, adcq, 64(%rdi)
	adcq	$0, %rax		/* limb 32: 0 or 1 */
	STORE	64(%rdi)
	/* r = t - p if that is not negative */
	movq	8(%rsp), %rbx
	movq	16(%rsp), %rsi
	movq	(%rdi), %rdx
	subq	(%rsi), %rdx
	movq	%rdx, (%rbx)
	.irp i, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movq	8*\i(%rdi), %rdx
	sbbq	8*\i(%rsi), %rdx
	movq	%rdx, 8*\i(%rbx)
	.endr
	sbbq	$0, %rax		/* sets the carry if t < p */
	.irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movq	8*\i(%rbx), %rdx
	cmovcq	8*\i(%rdi), %rdx
	movq	%rdx, 8*\i(%rbx)
	.endr
	LEAVE
	.size	fp1024_reduce, . - fp1024_reduce

	.section .note.GNU-stack, "", @progbits
#endif
