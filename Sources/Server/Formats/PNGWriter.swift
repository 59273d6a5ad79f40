import CZlib

/// A raster of 8-bit RGB, rows from the top.
struct Raster {
    let width: Int
    let height: Int
    private(set) var pixels: [UInt8]

    /// Makes a white raster.
    init(width: Int, height: Int) {
        self.width = width
        self.height = height
        pixels = [UInt8](repeating: 255, count: width * height * 3)
    }

    /// Fills the part of a rectangle that lies in the raster.
    mutating func fill(_ x: Int, _ y: Int, _ w: Int, _ h: Int, _ color: (red: UInt8, green: UInt8, blue: UInt8)) {
        let (left, right) = (max(0, x), min(width, x + w))
        guard left < right else { return }
        for row in max(0, y)..<max(max(0, y), min(height, y + h)) {
            for column in left..<right {
                let at = (row * width + column) * 3
                pixels[at] = color.red
                pixels[at + 1] = color.green
                pixels[at + 2] = color.blue
            }
        }
    }

    /// Returns the raster as PNG (https://www.w3.org/TR/png-3/): signature, IHDR, one IDAT of rows filtered by "up", IEND.
    func png() -> [UInt8] {
        let stride = width * 3
        var filtered = [UInt8](repeating: 2, count: (stride + 1) * height)
        for row in 0..<height {
            for i in 0..<stride {
                let above = row > 0 ? pixels[(row - 1) * stride + i] : 0
                filtered[row * (stride + 1) + 1 + i] = pixels[row * stride + i] &- above
            }
        }
        var size = compressBound(UInt(filtered.count))
        var compressed = [UInt8](repeating: 0, count: Int(size))
        let status = compress2(&compressed, &size, filtered, UInt(filtered.count), 6)
        precondition(status == Z_OK, "zlib has no memory")
        var out: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        Raster.append("IHDR", Raster.bigEndian(width) + Raster.bigEndian(height) + [8, 2, 0, 0, 0], to: &out)
        Raster.append("IDAT", compressed.prefix(Int(size)), to: &out)
        Raster.append("IEND", [], to: &out)
        return out
    }

    private static func append(_ type: String, _ data: some Collection<UInt8>, to out: inout [UInt8]) {
        let body = Array(type.utf8) + data
        out += bigEndian(data.count) + body + bigEndian(Int(crc32(0, body, UInt32(body.count))))
    }

    private static func bigEndian(_ value: Int) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }
}

extension AttentionPicture {
    func png() -> [UInt8] {
        var raster = Raster(width: width, height: height)
        for step in 0..<AttentionPicture.levels {
            let start = bar.width * step / AttentionPicture.levels
            let end = bar.width * (step + 1) / AttentionPicture.levels
            raster.fill(bar.x + start, bar.y, end - start, bar.height, AttentionPicture.color(step))
        }
        for (index, panel) in panels.enumerated() {
            raster.fill(panel.x - 1, panel.y - 1, columns * cell + 2, rows * cell + 2, (187, 187, 187))
            for row in 0..<rows {
                for column in 0..<columns {
                    let color = AttentionPicture.color(level(index, row, column))
                    raster.fill(panel.x + column * cell, panel.y + row * cell, cell, cell, color)
                }
            }
        }
        for text in texts { draw(text, in: &raster) }
        return raster.png()
    }

    private func draw(_ text: Text, in raster: inout Raster) {
        let advance = AttentionPicture.characterWidth * text.scale
        let scale = text.scale
        let start = text.endsHere ? text.x - advance * text.text.utf8.count : text.x
        for (index, character) in text.text.utf8.enumerated() {
            let rows = BitmapFont.rows(character)
            for (down, bits) in rows.enumerated() {
                for across in 0..<BitmapFont.width where bits & (0x10 >> UInt8(across)) != 0 {
                    let along = index * advance + across * scale
                    let aside = (down - BitmapFont.height / 2) * scale
                    let x = text.isUpright ? text.x + aside : start + along
                    let y = text.isUpright ? text.y - along : text.y + aside
                    raster.fill(x, y, scale, scale, (34, 34, 34))
                }
            }
        }
    }
}
