/// Token text made safe to print: characters that are invisible or change the direction of text are written U+XXXX.
enum VisibleText {
    /// - Parameter asciiOnly: Whether characters beyond ASCII are written so too, for a font without them.
    static func make(_ text: String, asciiOnly: Bool) -> String {
        var visible = ""
        for scalar in text.unicodeScalars {
            if isVisible(scalar), scalar.isASCII || !asciiOnly {
                visible.unicodeScalars.append(scalar)
            } else {
                let hex = String(scalar.value, radix: 16, uppercase: true)
                visible += "U+" + String(repeating: "0", count: max(0, 4 - hex.count)) + hex
            }
        }
        return visible
    }

    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        // Format characters are bidirectional controls, joiners and others without width.
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }

    /// Returns the text as XML character data or attribute value.
    static func escapedForXML(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
