import assert from 'node:assert/strict'
import { PassThrough, Readable, Writable } from 'node:stream'
import { test } from 'node:test'
import { UsageError } from '#kernel/errors'
import { readValue } from './secret-input.ts'

function screen() {
  let text = ''
  const output = new Writable({
    write(chunk, _encoding, done) {
      text += chunk
      done()
    },
  })
  return { output, shown: () => text }
}

function pipe(text: string) {
  return { input: Readable.from([Buffer.from(text)]), ...screen() }
}

/** A terminal on which somebody types the keys. */
function type(keys: string) {
  const input = Object.assign(new PassThrough(), { isTTY: true })
  input.write(keys)
  return { input, ...screen() }
}

test('a value is read from a pipe, with the end of its line or without', async () => {
  for (const text of ['sk_live_1', 'sk_live_1\n', 'sk_live_1\r\n']) {
    assert.equal(await readValue('KEY', pipe(text)), 'sk_live_1')
  }
  assert.equal(await readValue('KEY', pipe('two words, ünïcode')), 'two words, ünïcode')
})

test('a terminal is asked, and never shows what is typed', async () => {
  const terminal = type('sk_lvie\x7f\x7f\x7five\r')
  assert.equal(await readValue('KEY', terminal), 'sk_live')
  assert.equal(terminal.shown(), 'KEY (not shown): \n')
})

test('Ctrl-C and Ctrl-D in place of a value set nothing', async () => {
  for (const key of ['\x03', '\x04', 'half\x03']) {
    const terminal = type(key)
    await assert.rejects(readValue('KEY', terminal), refusal('Nothing was set: no value was given for KEY.'))
    assert.equal(terminal.shown(), 'KEY (not shown): \n')
  }
})

test('what is no single line is refused without being repeated', async () => {
  const line = 'The value of KEY must be one line of 1 to 512 characters, without spaces around it, on standard input.'
  for (const text of ['', '\n', ' secret', 'secret ', 'one\ntwo', 'a\u0000b', 'x'.repeat(513), 'x'.repeat(1_000_000)]) {
    await assert.rejects(readValue('KEY', pipe(text)), refusal(line))
  }
  await assert.rejects(readValue('KEY', type('\r')), refusal(line))
})

function refusal(message: string) {
  return (error: unknown): boolean => error instanceof UsageError && error.message === message
}
