import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { constants, inflateRawSync, zstdDecompressSync } from 'node:zlib'

/** What must be found nowhere. None of it is a word that a field's name, a code or a test could hold by chance. */
export const canaries: Readonly<Record<string, string>> = {
  card: '4242424242424242',
  anotherCard: '5555341244441115',
  cardWithSpaces: '4242 4242 4242 4242',
  cardWithDashes: '4242-4242-4242-4242',
  name: 'Zébulon Quistgaard',
  plainName: 'Quistgaardine',
  email: 'zebulon.quistgaard@canary.example',
  secret: 'sk_live_51CanaryQx7vT2mZ9bWcK',
  // In the shape of a code, which is no reason to take it for one.
  lowSecret: 'whsec_canary_5f3a9d2e7b',
  lowName: 'quistgaardson',
}

export type Finding = { readonly where: string; readonly canary: string; readonly form: string }

type Needle = { readonly canary: string; readonly form: string; readonly bytes: Buffer }

const needles = Object.entries(canaries).flatMap(([canary, text]) => formsOf(canary, text))

/** Every canary in the bytes, however it is written there, compressed parts included. */
export function findCanaries(where: string, bytes: Buffer): Finding[] {
  return [
    ...findPlainly(where, bytes),
    ...[...membersIn(bytes)].flatMap((member) => findPlainly(`${where} (compressed)`, member)),
  ]
}

/** The same for every file below a directory, or those of it that were written since. */
export function findCanariesBelow(
  directory: string,
  sinceMs = 0,
): { files: number; bytes: number; findings: Finding[] } {
  const found = { files: 0, bytes: 0, findings: [] as Finding[] }
  for (const path of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const file = contentOf(join(directory, path), sinceMs)
    if (!file) continue
    found.files++
    found.bytes += file.length
    found.findings.push(...findCanaries(path, file))
  }
  return found
}

/** PostgreSQL removes files as it likes: one that has gone since it was listed holds nothing. */
function contentOf(path: string, sinceMs: number): Buffer | undefined {
  try {
    const about = statSync(path)
    return about.isFile() && about.mtimeMs >= sinceMs ? readFileSync(path) : undefined
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

function findPlainly(where: string, bytes: Buffer): Finding[] {
  return needles.filter((needle) => bytes.includes(needle.bytes)).map(({ canary, form }) => ({ where, canary, form }))
}

function formsOf(canary: string, text: string): Needle[] {
  const bytes = Buffer.from(text)
  const hex = bytes.toString('hex')
  const written: [form: string, bytes: Buffer][] = [
    ['plain', bytes],
    ['latin1', Buffer.from(text, 'latin1')],
    ['hex', Buffer.from(hex)],
    ['HEX', Buffer.from(hex.toUpperCase())],
    ['url', Buffer.from(encodeURIComponent(text))],
    ['form', Buffer.from(new URLSearchParams({ '': text }).toString().slice(1))],
    [
      'json',
      Buffer.from(
        JSON.stringify(text)
          .slice(1, -1)
          .replace(/[^ -~]/g, escaped),
      ),
    ],
    ['json, all of it', Buffer.from(text.replace(/[\s\S]/g, escaped))],
    ['utf16le', Buffer.from(text, 'utf16le')],
    ['utf16be', Buffer.from(text, 'utf16le').swap16()],
    ...[0, 1, 2].flatMap((before): [string, Buffer][] => {
      const inside = base64Inside(bytes, before)
      const urlSafe = inside.replaceAll('+', '-').replaceAll('/', '_')
      return [
        [`base64 after ${before}`, Buffer.from(inside)],
        [`base64url after ${before}`, Buffer.from(urlSafe)],
      ]
    }),
  ]
  const unique = new Map(written.map(([form, needle]) => [needle.toString('latin1'), { canary, form, bytes: needle }]))
  return [...unique.values()]
}

/** The characters of a base64 text that depend on nothing but these bytes, with so many others before them. */
function base64Inside(bytes: Buffer, before: number): string {
  const text = Buffer.concat([Buffer.alloc(before), bytes])
    .toString('base64')
    .replace(/=+$/, '')
  const whole = Math.floor(((before + bytes.length) * 8) / 6)
  return text.slice(Math.ceil((before * 8) / 6), whole)
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

const memberBytesMax = 4 * 1024 * 1024
/** How gzip and zlib members begin. */
const magics = ['1f8b08', '7801', '785e', '789c', '78da'].map((hex) => Buffer.from(hex, 'hex'))

/** How Zstandard frames begin (RFC 8878, 3.1.1), and what is unpacked of all that follow each other. */
const zstdMagic = Buffer.from('28b52ffd', 'hex')
const framesBytesMax = 64 * 1024 * 1024

/**
 * What gzip and zlib members in the bytes unpack to, those cut off or followed by other bytes included; and Zstandard
 * frames, whole ones.
 */
function* membersIn(bytes: Buffer): Generator<Buffer> {
  for (let at = bytes.indexOf(zstdMagic); at !== -1; at = bytes.indexOf(zstdMagic, at + 1)) {
    const frames = unpackedFrames(bytes.subarray(at))
    if (frames && frames.length > 0) yield frames
  }
  for (const magic of magics) {
    for (let at = bytes.indexOf(magic); at !== -1; at = bytes.indexOf(magic, at + 1)) {
      const member = unpacked(bytes.subarray(at + headerBytes(bytes, at), at + memberBytesMax))
      if (member && member.length > 0) yield member
    }
  }
}

/** RFC 1952, 2.3: of what may be in a gzip header only the file's name is at all common. */
function headerBytes(bytes: Buffer, at: number): number {
  if (bytes[at] !== 0x1f) return 2
  const hasName = ((bytes[at + 3] ?? 0) & 8) !== 0
  return hasName ? bytes.indexOf(0, at + 10) + 1 - at : 10
}

function unpackedFrames(frames: Buffer): Buffer | undefined {
  try {
    return zstdDecompressSync(frames, { maxOutputLength: framesBytesMax })
  } catch {
    return undefined
  }
}

function unpacked(deflated: Buffer): Buffer | undefined {
  try {
    return inflateRawSync(deflated, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: memberBytesMax })
  } catch {
    return undefined
  }
}
