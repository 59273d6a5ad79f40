import JSON
import ModelFiles

/// The settings beside a vocabulary: tokenizer_config.json, special_tokens_map.json and added_tokens.json. They are
/// merged like `PreTrainedTokenizerBase._from_pretrained` does
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/tokenization_utils_base.py, version 5).
struct TokenizerSettings {
    /// The members of tokenizer_config.json.
    let options: TokenizerFields
    /// The special tokens by role. A null in a file removes the default of a class.
    private(set) var roles: [TokenRole: SpecialToken?] = [:]
    /// The tokens of `extra_special_tokens`, formerly `additional_special_tokens`, of tokenizer_config.json. `nil` if
    /// absent.
    private(set) var extra: [SpecialToken]?
    /// The tokens of `additional_special_tokens` in special_tokens_map.json, which count if `extra` is `nil`.
    private(set) var additional: [SpecialToken]?
    /// The special tokens of tokenizer_config.json under names that only this model has (`image_token`): objects, then
    /// strings.
    var others: [SpecialToken] { flagged + plain }
    private var flagged: [SpecialToken] = []
    private var plain: [SpecialToken] = []
    /// The tokens of `added_tokens_decoder`, else of added_tokens.json, by id.
    private(set) var decoder: [(id: Int, token: SpecialToken)] = []

    init(directory: String) throws(FileError) {
        let config = TokenizerFile(name: "tokenizer_config.json")
        var object = JSONObject()
        if let value = try TokenizerSettings.read(config, directory) {
            object = try config.fields(value, at: "the file").object
        }
        options = TokenizerFields(file: config, path: "the file", object: object)
        if try options.optionalBool("split_special_tokens") == true {
            throw config.error("split_special_tokens is true, which is not supported")
        }
        try take(object, config, special: false)
        for key in ["additional_special_tokens", "extra_special_tokens"] {
            guard let value = object[key], value != .null else { continue }
            if let named = value.object {
                for (_, value) in named.members {
                    if let token = try config.specialToken(value) { plain.append(token) }
                }
            } else if extra?.isEmpty ?? true {
                extra = try list(value, key, config, special: false)
            }
        }
        if let value = object["added_tokens_decoder"], value != .null {
            try takeDecoder(value, config)
        } else {
            try takeMap(directory)
            try takeAdded(directory)
        }
        // The flags of an added token go before those under its role.
        for role in TokenRole.allCases {
            guard case .some(.some(let token)) = roles[role],
                let added = decoder.last(where: { $0.token.content.isSpelled(like: token.content) })
            else { continue }
            roles[role] = added.token
        }
    }

    func bool(_ key: String, default value: Bool) throws(FileError) -> Bool { try options.optionalBool(key) ?? value }

    /// Returns the tokens of all roles. A role that no file mentions has the class's default.
    func roles(_ defaults: [TokenRole: SpecialToken]) -> [TokenRole: SpecialToken] {
        var result = defaults
        for (role, token) in roles { result[role] = token }
        return result
    }

    // MARK: The files

    private static func read(_ file: TokenizerFile, _ directory: String) throws(FileError) -> JSONValue? {
        guard let bytes = try WholeFile.read(file.name, in: directory) else { return nil }
        do throws(JSONError) { return try JSONValue(parsing: bytes) } catch {
            throw file.error("not valid JSON: \(error)")
        }
    }

    private mutating func take(_ object: JSONObject, _ file: TokenizerFile, special: Bool) throws(FileError) {
        for (key, value) in object.members where key.hasSuffix("_token") {
            let token = try file.specialToken(value, special: special)
            if let role = TokenRole(rawValue: key) {
                guard token != nil || value == .null else {
                    throw file.error("\(key) is \(value.kind); a string, or an object with its content, is expected")
                }
                roles[role] = .some(token)
            } else if let token {
                // Those of special_tokens_map.json come later, with the objects.
                if value.string == nil || special { flagged.append(token) } else { plain.append(token) }
            }
        }
    }

    private func list(
        _ value: JSONValue, _ key: String, _ file: TokenizerFile, special: Bool
    ) throws(FileError) -> [SpecialToken] {
        guard let array = value.array else { throw file.error("\(key) is \(value.kind); an array is expected") }
        var tokens: [SpecialToken] = []
        for value in array {
            guard let token = try file.specialToken(value, special: special) else {
                throw file.error("\(key) holds \(value.kind); tokens are expected")
            }
            tokens.append(token)
        }
        return tokens
    }

    private mutating func takeDecoder(_ value: JSONValue, _ file: TokenizerFile) throws(FileError) {
        for (key, value) in try file.fields(value, at: "added_tokens_decoder").object.members {
            guard let id = Int(key), id >= 0, id <= Int(Int32.max), value.object != nil,
                let token = try file.specialToken(value)
            else { throw file.error("added_tokens_decoder[\"\(key.prefix(80))\"] is not an id with its token") }
            decoder.append((id, token))
        }
        decoder.sort { $0.id < $1.id }
    }

    private mutating func takeMap(_ directory: String) throws(FileError) {
        let file = TokenizerFile(name: "special_tokens_map.json")
        guard let value = try TokenizerSettings.read(file, directory) else { return }
        let object = try file.fields(value, at: "the file").object
        try take(object, file, special: true)
        if let value = object["additional_special_tokens"], value != .null {
            additional = try list(value, "additional_special_tokens", file, special: true)
        }
        if let value = object["extra_special_tokens"], value.isArray {
            let tokens = try list(value, "extra_special_tokens", file, special: true)
            extra = (extra ?? []) + tokens
        }
    }

    /// Reads added_tokens.json: `{"<mask>": 4, …}`.
    private mutating func takeAdded(_ directory: String) throws(FileError) {
        let file = TokenizerFile(name: "added_tokens.json")
        guard let value = try TokenizerSettings.read(file, directory) else { return }
        let special = roles.values.compactMap(\.self) + (extra ?? [])
        for (content, value) in try file.fields(value, at: "the file").object.members {
            guard let id = value.int, id >= 0, id <= Int(Int32.max) else {
                throw file.error("\"\(content.prefix(80))\" has no id, a whole number from 0 on")
            }
            var token = SpecialToken(
                content, special: special.contains { $0.content.isSpelled(like: content) })
            token.normalized = token.special == false
            decoder.append((id, token))
        }
        decoder.sort { $0.id < $1.id }
    }
}
