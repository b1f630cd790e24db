import { crc32, deflateRawSync } from 'node:zlib'

/** An archive of one file, by section 4.3 of PKWARE's APPNOTE: a local header, the file, the directory of one, its end. */
export function zipOf(file: string, text: string, method = 8): Buffer {
  const [name, plain] = [Buffer.from(file), Buffer.from(text)]
  const packed = method === 0 ? plain : deflateRawSync(plain)
  const local = Buffer.alloc(30)
  local.writeUInt32LE(0x04034b50, 0)
  const about = Buffer.alloc(22)
  about.writeUInt16LE(20, 0)
  about.writeUInt16LE(method, 4)
  about.writeUInt32LE(crc32(plain), 10)
  about.writeUInt32LE(packed.length, 14)
  about.writeUInt32LE(plain.length, 18)
  about.copy(local, 4)
  local.writeUInt16LE(name.length, 26)
  const entry = Buffer.alloc(46)
  entry.writeUInt32LE(0x02014b50, 0)
  about.copy(entry, 6)
  entry.writeUInt16LE(name.length, 28)
  const directory = 30 + name.length + packed.length
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(1, 8)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(46 + name.length, 12)
  end.writeUInt32LE(directory, 16)
  return Buffer.concat([local, name, packed, entry, name, end])
}
