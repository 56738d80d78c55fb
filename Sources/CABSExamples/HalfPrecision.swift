extension Float {
    /// The number that 16 bits stand for in IEEE 754's half precision, for which not every platform has a type.
    package init(halfBits bits: UInt16) {
        let sign = UInt32(bits & 0x8000) << 16
        let (exponent, fraction) = (UInt32(bits >> 10 & 0x1f), UInt32(bits & 0x3ff))
        switch exponent {
        // Multiples of 2^-24, of which floats have all.
        case 0: self.init(bitPattern: sign | (Float(fraction) * 0x1p-24).bitPattern)
        case 0x1f: self.init(bitPattern: sign | 0x7f80_0000 | fraction << 13)
        default: self.init(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
        }
    }
}
