/// The reason why a part of a weight file cannot be read. The caller adds the file and what the part is.
struct Refusal: Error {
    let reason: String
}
