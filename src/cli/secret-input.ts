import { createInterface } from 'node:readline/promises'
import { type Readable, Writable } from 'node:stream'
import { UsageError } from '#kernel/errors'

const CHARACTERS_MAX = 512
/** More than that is no secret of ours, and is not read to its end. */
const BYTES_MAX = 64 * 1024

export type Terminal = { readonly input: Readable & { readonly isTTY?: boolean }; readonly output: Writable }

/** One line from the input; a terminal is asked for it, and does not show it. @throws UsageError for anything else. */
export async function readValue(name: string, terminal: Terminal): Promise<string> {
  const value = terminal.input.isTTY ? await askFor(name, terminal) : withoutLineEnd(await readAll(terminal.input))
  if (isPlainLine(value)) return value
  throw new UsageError(
    `The value of ${name} must be one line of 1 to ${CHARACTERS_MAX} characters, without spaces around it, on standard input.`,
  )
}

function isPlainLine(text: string): boolean {
  return text.length >= 1 && text.length <= CHARACTERS_MAX && text.trim() === text && !/\p{Cc}/u.test(text)
}

function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, '')
}

async function readAll(input: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of input) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > BYTES_MAX) break
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function askFor(name: string, { input, output }: Terminal): Promise<string> {
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input, output: unseen, terminal: true, historySize: 0 })
  // Only now: by this time the terminal has stopped showing what is typed.
  output.write(`${name} (not shown): `)
  const ended = new AbortController()
  lines.once('close', () => ended.abort())
  try {
    return await lines.question('', { signal: ended.signal })
  } catch {
    throw new UsageError(`Nothing was set: no value was given for ${name}.`) // Ctrl-C or Ctrl-D.
  } finally {
    lines.close()
    output.write('\n')
  }
}
