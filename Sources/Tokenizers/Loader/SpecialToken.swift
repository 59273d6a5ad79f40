import JSON
import ModelFiles

/// A special token of a file: a string, or an `AddedToken` with its flags.
struct SpecialToken {
    var content: String
    var singleWord = false
    var lstrip = false
    var rstrip = false
    /// The flag `normalized`. `nil` if the file has none: then the token is normalized only if it is not special.
    var normalized: Bool?
    /// The flag `special`. `nil` for a string, which is special wherever it is added.
    var special: Bool?

    init(_ content: String, lstrip: Bool = false, special: Bool? = nil) {
        self.content = content
        self.lstrip = lstrip
        self.special = special
    }

    func added(id: Int32, special: Bool) -> AddedToken {
        AddedToken(
            id: id, content: content, singleWord: singleWord, lstrip: lstrip, rstrip: rstrip,
            normalized: normalized ?? !special, special: special)
    }
}

extension TokenizerFile {
    /// - Parameter special: the flag of an object that has none.
    /// - Returns: the token. `nil` if the value is neither a string nor an object with `content`.
    func specialToken(_ value: JSONValue, special: Bool = false) throws(FileError) -> SpecialToken? {
        if let content = value.string { return SpecialToken(content) }
        guard value.object != nil, value["content"] != nil else { return nil }
        let fields = try fields(value, at: "a special token")
        var token = SpecialToken(try fields.string("content"))
        token.singleWord = try fields.optionalBool("single_word") ?? false
        token.lstrip = try fields.optionalBool("lstrip") ?? false
        token.rstrip = try fields.optionalBool("rstrip") ?? false
        token.normalized = try fields.optionalBool("normalized")
        token.special = try fields.optionalBool("special") ?? special
        return token
    }
}
