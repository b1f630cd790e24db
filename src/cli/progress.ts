import type { WriteStream } from 'node:tty'

/** A line that is written over and over on a terminal; nowhere else is it of any use. */
export function progressLine(stream: Pick<WriteStream, 'isTTY' | 'write'>): {
  show(text: string): void
  /** Takes the line away; nothing is shown any more. */
  end(): void
} {
  let hasEnded = false
  const overwrite = (text: string): void => {
    if (stream.isTTY && !hasEnded) stream.write(`\r\u001b[2K${text}`)
  }
  return {
    show: (text) => overwrite(text === '' ? '' : `${text} …`),
    end: () => {
      overwrite('')
      hasEnded = true
    },
  }
}
