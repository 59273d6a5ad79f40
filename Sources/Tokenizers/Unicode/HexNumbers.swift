import Diagnostics

/// Reads hexadecimal numbers in ASCII, each of at most eight digits, with spaces or line ends between them.
///
/// The Unicode tables are string literals: as array literals they took a third of the time to compile this target.
func hexNumbers(_ text: StaticString) -> [UInt32] {
    let bytes = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    var numbers: [UInt32] = []
    numbers.reserveCapacity(bytes.count / 4)
    var number: UInt32?
    for byte in bytes {
        if let digit = byte.hexDigitValue {
            number = (number ?? 0) << 4 | UInt32(digit)
        } else if let complete = number {
            numbers.append(complete)
            number = nil
        }
    }
    if let number { numbers.append(number) }
    return numbers
}
