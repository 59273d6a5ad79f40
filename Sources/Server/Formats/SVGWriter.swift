/// The picture as SVG 1.1 (https://www.w3.org/TR/SVG11/) without references to other files. Cells of one level are one path
/// and blank cells are left out, so the size depends on what is visible.
extension AttentionPicture {
    func svg() -> [UInt8] {
        var out: [UInt8] = []
        func add(_ text: String) { out += Array(text.utf8) }
        add("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" ")
        add("width=\"\(width)\" height=\"\(height)\" viewBox=\"0 0 \(width) \(height)\" ")
        add("font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"9.5\">\n")
        add("<title>\(VisibleText.escapedForXML(texts[0].text))</title>\n")
        add("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n")
        for step in 0..<AttentionPicture.levels {
            let start = bar.width * step / AttentionPicture.levels
            let end = bar.width * (step + 1) / AttentionPicture.levels
            add("<rect x=\"\(bar.x + start)\" y=\"\(bar.y)\" width=\"\(end - start)\" height=\"\(bar.height)\" ")
            add("fill=\"\(AttentionPicture.hex(step))\"/>")
        }
        add("\n<g shape-rendering=\"crispEdges\">\n")
        for (index, panel) in panels.enumerated() {
            add("<rect x=\"\(panel.x)\" y=\"\(panel.y)\" width=\"\(columns * cell)\" height=\"\(rows * cell)\" ")
            add("fill=\"none\" stroke=\"#bbb\"/>\n<g transform=\"translate(\(panel.x) \(panel.y)) scale(\(cell))\">\n")
            var paths = [[UInt8]](repeating: [], count: AttentionPicture.levels)
            for row in 0..<rows {
                var column = 0
                while column < columns {
                    let level = level(index, row, column)
                    var end = column + 1
                    while end < columns, self.level(index, row, end) == level { end += 1 }
                    if level > 0 { paths[level] += Array("M\(column) \(row)h\(end - column)v1H\(column)z".utf8) }
                    column = end
                }
            }
            for (level, path) in paths.enumerated() where !path.isEmpty {
                add("<path fill=\"\(AttentionPicture.hex(level))\" d=\"")
                out += path
                add("\"/>\n")
            }
            add("</g>\n")
        }
        add("</g>\n<g fill=\"#222\" style=\"unicode-bidi:isolate;white-space:pre\">\n")
        for text in texts {
            let y = text.isUpright ? text.y : text.y + 3 * text.scale
            let x = text.isUpright ? text.x + 3 : text.x
            add("<text x=\"\(x)\" y=\"\(y)\"")
            if text.endsHere { add(" text-anchor=\"end\"") }
            if text.isUpright { add(" transform=\"rotate(-90 \(x) \(y))\"") }
            if text.scale > 1 { add(" font-size=\"17\"") }
            add(">\(VisibleText.escapedForXML(text.text))</text>\n")
        }
        add("</g>\n</svg>\n")
        return out
    }

    private static func hex(_ level: Int) -> String {
        let (red, green, blue) = color(level)
        return "#"
            + [red, green, blue].map { byte in
                let text = String(byte, radix: 16)
                return text.count == 1 ? "0" + text : text
            }.joined()
    }
}
