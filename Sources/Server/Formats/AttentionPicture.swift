/// The layout of a picture of weight maps, in pixels: a heading with the color scale, then a panel for each map. A panel has a
/// label for each row (left) and column (above, reading upward). `svg()` and `png()` draw the same layout.
///
/// A cell's color is √(weight ÷ the largest weight drawn). On a linear scale of 8 bits, uniform attention over 512 positions
/// beside one weight of 1 would round to white; here it is 4 % of the scale. The scale is printed.
public struct AttentionPicture: Sendable {
    /// The reason why a picture is not drawn.
    enum TooLarge: Error, Equatable {
        case cells(Int, limit: Int)
        case pixels(width: Int, height: Int, limit: Int)
    }

    struct Text: Sendable {
        var text: String
        /// The position at which the text begins, or ends if `endsHere`; y is its middle line.
        var x: Int
        var y: Int
        var endsHere = false
        /// Whether the text reads upward from (x, y).
        var isUpright = false
        /// The size of the font: 2 for the title.
        var scale = 1
    }

    static let characterWidth = 6
    static let lineHeight = 12
    static let levels = 64
    private static let margin = 12
    private static let gap = 14
    private static let longestLabel = 20

    let rows: Int
    let columns: Int
    /// The edge of a cell.
    let cell: Int
    let weights: [Float]
    let largest: Float
    private(set) var width = 0
    private(set) var height = 0
    private(set) var texts: [Text] = []
    /// The top left corner of each map.
    private(set) var panels: [(x: Int, y: Int)] = []
    /// The color scale, from 0 at its left to `largest`.
    private(set) var bar = (x: 0, y: 0, width: 256, height: 12)

    /// - Parameters:
    ///   - panelNames: The name of each map.
    ///   - panelsPerLine: The number of panels in a line; 0 makes the picture as square as possible.
    ///   - weights: The weights [maps, rows, columns], none negative.
    ///   - maxCells: The largest number of cells that are not blank; `nil` if there is no limit.
    ///   - maxPixels: The largest number of pixels of a PNG, whose text is ASCII; `nil` if the picture is an SVG.
    init(
        title: String, subtitle: String, panelNames: [String], panelsPerLine: Int, rowLabels: [String],
        columnLabels: [String], weights: [Float], maxCells: Int?, maxPixels: Int?
    ) throws(TooLarge) {
        rows = rowLabels.count
        columns = columnLabels.count
        self.weights = weights
        let maximum = weights.reduce(0) { $1.isFinite ? max($0, $1) : $0 }
        let largest = maximum > 0 ? maximum : 1
        self.largest = largest
        cell = max(1, min(14, 512 / max(1, rows, columns)))
        if let maxCells {
            let cells = weights.reduce(0) { $0 + (AttentionPicture.level($1 / largest) > 0 ? 1 : 0) }
            guard cells <= maxCells else { throw .cells(cells, limit: maxCells) }
        }
        let isASCII = maxPixels != nil
        func shown(_ label: String) -> String {
            let visible = VisibleText.make(label, asciiOnly: isASCII)
            let limit = AttentionPicture.longestLabel
            return visible.count > limit ? visible.prefix(limit - 2) + ".." : visible
        }
        let rowLabels = rowLabels.map(shown)
        let columnLabels = columnLabels.map(shown)
        let wide = AttentionPicture.characterWidth
        let line = AttentionPicture.lineHeight
        let left = (rowLabels.map(AttentionPicture.columnsOf).max() ?? 0) * wide + 4
        let top = (columnLabels.map(AttentionPicture.columnsOf).max() ?? 0) * wide + 4 + line
        let nameWidth = (panelNames.map(\.count).max() ?? 0) * wide
        let panelWidth = max(left + columns * cell, nameWidth)
        let panelHeight = top + rows * cell
        var perLine = panelsPerLine
        if perLine == 0 {
            perLine = 1
            while perLine * perLine < panelNames.count { perLine += 1 }
        }
        let lines = (panelNames.count + perLine - 1) / perLine

        let margin = AttentionPicture.margin
        let caption =
            "Color: square root of weight / \(AttentionPicture.number(largest)), the largest weight drawn."
        texts = [
            Text(text: VisibleText.make(title, asciiOnly: isASCII), x: margin, y: margin + 8, scale: 2),
            Text(text: VisibleText.make(subtitle, asciiOnly: isASCII), x: margin, y: margin + 26),
            Text(text: caption, x: margin, y: margin + 38),
            Text(text: "Rows: the position that looks. Columns: the position looked at.", x: margin, y: margin + 50),
        ]
        let headingWidth = texts.map { AttentionPicture.columnsOf($0.text) * wide * $0.scale }.max() ?? 0
        bar = (margin, margin + 60, bar.width, bar.height)
        for step in 0...4 {
            let share = Float(step) / 4
            let text = AttentionPicture.number(largest * share * share)
            texts.append(Text(text: text, x: bar.x + bar.width * step / 4, y: bar.y + bar.height + 8))
        }
        let heading = bar.y + bar.height + 24
        let gap = AttentionPicture.gap
        width = 2 * margin + max(headingWidth, bar.width + 60, perLine * (panelWidth + gap) - gap)
        height = heading + lines * (panelHeight + gap) - gap + margin
        if let maxPixels {
            let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
            guard !overflow, pixels <= maxPixels else {
                throw .pixels(width: width, height: height, limit: maxPixels)
            }
        }

        // Labels are 9 pixels high, so only every few of smaller cells are labeled.
        let every = (8 + cell) / cell
        for (index, name) in panelNames.enumerated() {
            let x = margin + index % perLine * (panelWidth + gap)
            let y = heading + index / perLine * (panelHeight + gap)
            texts.append(Text(text: name, x: x, y: y + line / 2))
            panels.append((x + left, y + top))
            for row in stride(from: 0, to: rows, by: every) {
                texts.append(
                    Text(text: rowLabels[row], x: x + left - 3, y: y + top + row * cell + cell / 2, endsHere: true))
            }
            for column in stride(from: 0, to: columns, by: every) {
                texts.append(
                    Text(
                        text: columnLabels[column], x: x + left + column * cell + cell / 2, y: y + top - 3,
                        isUpright: true)
                )
            }
        }
    }

    /// Returns the level of a weight, 0 (blank) … `levels` − 1.
    /// - Parameter share: The weight divided by the largest one. NaN and infinity are blank.
    static func level(_ share: Float) -> Int {
        guard share > 0, share.isFinite else { return 0 }
        return Int((min(share, 1).squareRoot() * Float(levels - 1)).rounded())
    }

    /// Returns the level of the cell at [map, row, column].
    func level(_ map: Int, _ row: Int, _ column: Int) -> Int {
        AttentionPicture.level(weights[(map * rows + row) * columns + column] / largest)
    }

    /// Returns the color of a level, from white to dark blue, even in lightness.
    static func color(_ level: Int) -> (red: UInt8, green: UInt8, blue: UInt8) {
        let stops: [(Float, Float, Float)] = [(255, 255, 255), (165, 200, 230), (60, 130, 190), (10, 40, 95)]
        let place = Float(level) / Float(levels - 1) * Float(stops.count - 1)
        let index = min(stops.count - 2, max(0, Int(place)))
        let share = place - Float(index)
        func mix(_ a: Float, _ b: Float) -> UInt8 { UInt8(a + (b - a) * share + 0.5) }
        let (a, b) = (stops[index], stops[index + 1])
        return (mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
    }

    /// Returns a value with four significant digits.
    static func number(_ value: Float) -> String {
        guard value > 0 else { return "0" }
        var scale: Double = 1
        var rounded = Double(value)
        while rounded < 1000, scale < 1e30 {
            rounded *= 10
            scale *= 10
        }
        let text = (rounded.rounded() / scale).description
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    /// Returns the width of a text in characters, where those beyond ASCII count as two.
    private static func columnsOf(_ text: String) -> Int {
        text.unicodeScalars.reduce(0) { $0 + ($1.isASCII ? 1 : 2) }
    }
}
