import type { WriteStream } from 'node:tty'

/** A line that is written over and over on a terminal; nowhere else is it of any use. */
export function progressLine(stream: Pick<WriteStream, 'isTTY' | 'write'>): {
  show(text: string): void
  clear(): void
} {
  const overwrite = (text: string): void => {
    if (stream.isTTY) stream.write(`\r\u001b[2K${text}`)
  }
  return { show: (text) => overwrite(text === '' ? '' : `${text} …`), clear: () => overwrite('') }
}
