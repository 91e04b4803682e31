package imaging

// The discrete cosine transform of JPEG and its inverse, after C. Loeffler,
// A. Ligtenberg and G. S. Moschytz, "Practical fast 1-D DCT algorithms with 11
// multiplications" (ICASSP 1989), in 32-bit fixed point with the precision at
// each step that image/jpeg of Go 1.26 has, so that pixels and files are the
// same to the bit, here and with every later Go.

// block is eight rows of eight pixels, or the frequencies of such.
type block [64]int32

// Constants have as many fractional bits as their names end in.
const (
	cos1x18, sin1x18   = 257107, 51142 // of pi/16
	cos3x18, sin3x18   = 217965, 145639
	root2cos6x18       = 141871 // sqrt(2)*cos(6*pi/16)
	root2sin6x18       = 342508
	halfRoot2cos6x18   = 70936 // sqrt(1/2)*cos(6*pi/16)
	halfRoot2sin6x18   = 171254
	cos1x14, sin1x14   = 16069, 3196
	cos3x14, sin3x14   = 13623, 9102
	root2cos6x14       = 8867
	root2sin6x14       = 21407
	root2x14, root2x12 = 23170, 5793
	halfRoot2x14       = 11585
	halfRoot2x8        = 181
	cos1x12, sin1x12   = 4017, 799
	cos3x12, sin3x12   = 3406, 2276
	halfRoot2cos6x12   = 1108
	halfRoot2sin6x12   = 2676
)

// turn rotates and scales a pair with three multiplications.
func turn(x, y, kcos, ksin int32) (int32, int32) {
	sum := kcos * (x + y)
	return sum + (ksin-kcos)*y, sum - (kcos+ksin)*x
}

// fdct turns pixels into eight times their frequencies.
func fdct(b *block) {
	for i := range 8 { // columns; what leaves has 18 fractional bits
		x0, x7 := b[i]+b[56+i], b[i]-b[56+i]
		x1, x6 := b[8+i]+b[48+i], b[8+i]-b[48+i]
		x2, x5 := b[16+i]+b[40+i], b[16+i]-b[40+i]
		x3, x4 := b[24+i]+b[32+i], b[24+i]-b[32+i]

		x0, x3 = x0+x3, x0-x3
		x1, x2 = x1+x2, x1-x2
		b[i] = (x0 + x1 - 128*8) << 18 // here alone the level of the pixels counts
		b[32+i] = (x0 - x1) << 18
		b[16+i], b[48+i] = turn(x2, x3, root2cos6x18, root2sin6x18)

		x4, x7 = turn(x4, x7, cos3x18, sin3x18)
		x5, x6 = turn(x5, x6, cos1x18, sin1x18)
		x4, x6 = x4+x6, x4-x6
		x7, x5 = x7+x5, x7-x5
		b[8+i] = x7 + x4
		b[56+i] = x7 - x4
		b[24+i] = (x5 >> 12) * root2x12
		b[40+i] = (x6 >> 12) * root2x12
	}
	for i := 0; i < 64; i += 8 { // rows
		x := b[i : i+8 : i+8]
		x0, x7 := x[0]+x[7], x[0]-x[7]
		x1, x6 := x[1]+x[6], x[1]-x[6]
		x2, x5 := x[2]+x[5], x[2]-x[5]
		x3, x4 := x[3]+x[4], x[3]-x[4]

		x0, x3 = x0+x3, x0-x3
		x1, x2 = x1+x2, x1-x2
		x2, x3 = turn(x2>>14, x3>>14, root2cos6x14, root2sin6x14)

		x4, x7 = turn(x4>>14, x7>>14, cos3x14, sin3x14)
		x5, x6 = turn(x5>>14, x6>>14, cos1x14, sin1x14)
		x4, x6 = x4+x6, x4-x6
		x7, x5 = x7+x5, x7-x5

		const half = 1 << 17
		x[0] = (x0 + x1 + half) >> 18
		x[1] = (x7 + x4 + half) >> 18
		x[2] = (x2 + half) >> 18
		x[3] = ((x5>>14)*root2x14 + half) >> 18
		x[4] = (x0 - x1 + half) >> 18
		x[5] = ((x6>>14)*root2x14 + half) >> 18
		x[6] = (x3 + half) >> 18
		x[7] = (x7 - x4 + half) >> 18
	}
}

// idct turns frequencies into pixels, less 128. What no encoder writes may
// overflow, and gives some pixels.
func idct(b *block) {
	for i := 0; i < 64; i += 8 { // rows; what leaves has 20 fractional bits
		x := b[i : i+8 : i+8]
		if x[1]|x[2]|x[3]|x[4]|x[5]|x[6]|x[7] == 0 {
			v := x[0] << 17
			x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7] = v, v, v, v, v, v, v, v
			continue
		}
		x0, x1 := x[0]<<17+x[4]<<17, x[0]<<17-x[4]<<17
		x2, x3 := turn(x[2], x[6], halfRoot2cos6x18, -halfRoot2sin6x18)
		x1, x2 = x1+x2, x1-x2
		x0, x3 = x0+x3, x0-x3

		x7, x4 := x[1]<<7+x[7]<<7, x[1]<<7-x[7]<<7
		x5, x6 := x[3]*halfRoot2x8, x[5]*halfRoot2x8
		x7, x5 = x7+x5, x7-x5
		x4, x6 = x4+x6, x4-x6
		x4, x7 = turn(x4>>2, x7>>2, cos3x12, -sin3x12)
		x5, x6 = turn(x5>>2, x6>>2, cos1x12, -sin1x12)

		x[0], x[7] = x0+x7, x0-x7
		x[1], x[6] = x1+x6, x1-x6
		x[2], x[5] = x2+x5, x2-x5
		x[3], x[4] = x3+x4, x3-x4
	}
	for i := range 8 { // columns
		a := b[i] + 1<<19 // rounds all that leaves
		x0, x1 := (a+b[32+i])>>2, (a-b[32+i])>>2
		x2, x3 := turn(b[16+i]>>13, b[48+i]>>13, halfRoot2cos6x12, -halfRoot2sin6x12)
		x1, x2 = x1+x2, x1-x2
		x0, x3 = x0+x3, x0-x3

		x7, x4 := b[8+i]+b[56+i], b[8+i]-b[56+i]
		x5, x6 := (b[24+i]>>13)*halfRoot2x14, (b[40+i]>>13)*halfRoot2x14
		x7, x5 = x7+x5, x7-x5
		x4, x6 = x4+x6, x4-x6
		x4, x7 = turn(x4>>14, x7>>14, cos3x12, -sin3x12)
		x5, x6 = turn(x5>>14, x6>>14, cos1x12, -sin1x12)

		b[i], b[56+i] = (x0+x7)>>18, (x0-x7)>>18
		b[8+i], b[48+i] = (x1+x6)>>18, (x1-x6)>>18
		b[16+i], b[40+i] = (x2+x5)>>18, (x2-x5)>>18
		b[24+i], b[32+i] = (x3+x4)>>18, (x3-x4)>>18
	}
}

// idct4 makes four rows of four pixels out of the lowest sixteen frequencies.
func idct4(b *block, dst []byte, stride int) {
	const (
		shift = 12
		c1    = 5352 // sqrt(2)*cos(pi/8)
		c3    = 2217 // sqrt(2)*cos(3*pi/8)
	)
	var t [16]int64 // what leaves has twelve fractional bits
	for i := range 4 {
		x0, x1, x2, x3 := int64(b[i]), int64(b[8+i]), int64(b[16+i]), int64(b[24+i])
		even, odd := (x0+x2)<<shift, (x0-x2)<<shift
		far, near := c1*x1+c3*x3, c3*x1-c1*x3
		t[i], t[4+i], t[8+i], t[12+i] = even+far, odd+near, odd-near, even-far
	}
	for y := range 4 {
		x := t[4*y : 4*y+4 : 4*y+4]
		const half = 1 << (2*shift + 2)
		even, odd := (x[0]+x[2])<<shift+half, (x[0]-x[2])<<shift+half
		far, near := c1*x[1]+c3*x[3], c3*x[1]-c1*x[3]
		row := dst[y*stride:][:4:4]
		row[0] = level(int32((even + far) >> (2*shift + 3)))
		row[1] = level(int32((odd + near) >> (2*shift + 3)))
		row[2] = level(int32((odd - near) >> (2*shift + 3)))
		row[3] = level(int32((even - far) >> (2*shift + 3)))
	}
}
