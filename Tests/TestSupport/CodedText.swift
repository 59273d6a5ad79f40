/// `{"input": "a bb"}`, and what Python's zlib makes of it at level 9.
package enum CodedText {
    package static let plain = Array("{\"input\": \"a bb\"}".utf8)
    /// `compressobj(9, 8, 31)`
    package static let gzip = bytes(
        hex: "1f8b0800000000000203ab56cacc2b282d51b252504a54484a52aa0500201d52b311000000")
    /// The bytes of `gzip` as two members.
    package static let twoMembers = bytes(
        hex: "1f8b0800000000000203ab56cacc2b282d51b25200009e094aae0a000000"
            + "1f8b0800000000000203534a54484a52aa0500576f5d9407000000")
    /// `compress`
    package static let zlib = bytes(hex: "78daab56cacc2b282d51b252504a54484a52aa050032500550")
    /// `zlib` without its head and checksum.
    package static let deflate = bytes(hex: "ab56cacc2b282d51b252504a54484a52aa0500")

    private static func bytes(hex: String) -> [UInt8] {
        let digits = hex.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
