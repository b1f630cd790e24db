import { crc32, inflateRawSync } from 'node:zlib'
import { RatesUnreadable } from './format.ts'

const FILE_BYTES_MAX = 64 * 1024 * 1024
const END_SIGNATURE = 0x06054b50
const END_LENGTH = 22
const ENTRY_SIGNATURE = 0x02014b50
const LOCAL_LENGTH = 30

/** Whether it begins as a ZIP archive does. */
export function isZip(bytes: Buffer): boolean {
  return bytes.subarray(0, 4).equals(Buffer.from('PK\u0003\u0004'))
}

/**
 * The one file of an archive, as the ECB publishes its history. Read from the archive's directory (section 4.3 of PKWARE's
 * APPNOTE 6.3), and checked. @throws RatesUnreadable.
 */
export function unzipped(archive: Buffer): Buffer {
  try {
    return fileIn(archive)
  } catch (error) {
    if (error instanceof RatesUnreadable) throw error
    throw new RatesUnreadable('it is a ZIP archive that is damaged', { cause: error })
  }
}

function fileIn(archive: Buffer): Buffer {
  const end = archive.lastIndexOf(Buffer.from('PK\u0005\u0006'))
  if (end < 0 || archive.readUInt32LE(end) !== END_SIGNATURE || end + END_LENGTH > archive.length) {
    throw new RatesUnreadable('it is a ZIP archive that is cut off')
  }
  const files = archive.readUInt16LE(end + 10)
  if (files !== 1) throw new RatesUnreadable(`it is a ZIP archive of ${files} files: it must be of one`)
  const entry = archive.readUInt32LE(end + 16)
  if (archive.readUInt32LE(entry) !== ENTRY_SIGNATURE) throw new RatesUnreadable('it is a ZIP archive that is damaged')
  const [method, checksum] = [archive.readUInt16LE(entry + 10), archive.readUInt32LE(entry + 16)]
  const [packed, local] = [archive.readUInt32LE(entry + 20), archive.readUInt32LE(entry + 42)]
  const begin = local + LOCAL_LENGTH + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28)
  const content = archive.subarray(begin, begin + packed)
  const file = method === 0 ? content : inflateRawSync(content, { maxOutputLength: FILE_BYTES_MAX })
  if (crc32(file) !== checksum) throw new RatesUnreadable('it is a ZIP archive that is damaged')
  return file
}
