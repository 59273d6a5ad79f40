import CZlib

/// A writer of zip archives with valid checksums, which a fuzzer would not guess.
///
/// Format: PKWARE APPNOTE 6.3.10, sections 4.3.7 to 4.3.16.
enum ZipBuilder {
    static func archive(_ members: [(name: String, bytes: [UInt8])], deflating: Bool) -> [UInt8] {
        var (file, directory): ([UInt8], [UInt8]) = ([], [])
        for (name, bytes) in members {
            let data = deflating ? deflated(bytes) : bytes
            let crc = bytes.withUnsafeBufferPointer { UInt32(truncatingIfNeeded: crc32_z(0, $0.baseAddress, $0.count)) }
            let common =
                le16(20) + le16(0) + le16(deflating ? 8 : 0) + le32(0) + le32(Int(crc)) + le32(data.count)
                + le32(bytes.count) + le16(name.utf8.count) + le16(0)
            directory +=
                le32(0x0201_4b50) + le16(20) + common + le16(0) + le16(0) + le16(0) + le32(0) + le32(file.count)
            directory += name.utf8
            file += le32(0x0403_4b50) + common + name.utf8 + data
        }
        let end =
            le32(0x0605_4b50) + le16(0) + le16(0) + le16(members.count) + le16(members.count) + le32(directory.count)
            + le32(file.count) + le16(0)
        return file + directory + end
    }

    /// Returns the low two bytes of `value`, in little-endian order.
    private static func le16(_ value: Int) -> [UInt8] { (0..<2).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    /// Returns the low four bytes of `value`, in little-endian order.
    private static func le32(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

    /// Returns `bytes` as one stored block of raw deflate. A decoder reads it like any other block.
    private static func deflated(_ bytes: [UInt8]) -> [UInt8] {
        [1] + le16(bytes.count) + le16(~bytes.count) + bytes
    }
}
