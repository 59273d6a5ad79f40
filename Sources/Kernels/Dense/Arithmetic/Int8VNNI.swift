/// Products of four bytes by an instruction of VNNI. The conforming type adds `step`.
public protocol Int8VNNI: Int8Arithmetic {}

extension Int8VNNI {
    @export(implementation) @inline(__always) public static var depth: Int { 4 }
    @export(implementation) @inline(__always) public static func convertRow(
        _ x: UnsafePointer<Float>, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>,
        _ scales: UnsafeMutablePointer<Float>
    ) {
        let out = UnsafeMutableRawPointer(packed).assumingMemoryBound(to: UInt8.self)
        quantizeRow(I.self, x, k, scales) { I.storeBytes(out + $0, $1) }
    }
}
