import assert from 'node:assert/strict'
import test from 'node:test'
import { explainError, explainOutput, isPassing, StartFailure } from './failure.ts'

const outputs: [output: string, line: RegExp][] = [
  ['initdb: error: could not write file "/d/x": No space left on device', /disk that holds \/d is full/],
  ['FATAL:  could not write lock file "postmaster.pid": Disk quota exceeded', /disk that holds \/d is full/],
  ['FATAL:  could not open file "/d/PG_VERSION": Permission denied', /\/d cannot be written/],
  ['FATAL:  could not create lock file "postmaster.pid": Read-only file system', /\/d cannot be written/],
  ['FATAL:  data directory "/d" has wrong ownership\nHINT:  The server must be', /belongs to another user/],
  ['initdb: error: could not look up effective user ID 1234: user does not exist', /entry in \/etc\/passwd/],
  ['LOG:  starting\nFATAL:  unrecognized configuration parameter "x"\nLOG:  down', /unrecognized configuration .*"x"$/],
  ['', /did not start in \/d/],
]

test('whatever PostgreSQL says when it gives up becomes one line that says what to do or what it said', () => {
  for (const [output, line] of outputs) {
    const { message } = explainOutput(output, '/d')
    assert.match(message, line)
    assert.doesNotMatch(message, /\n/)
  }
})

// A full disk was once taken for a lock file about to go away, and told ten seconds later.
test('what a dead server still holds is waited for, and what only a person can put right is not', () => {
  for (const output of [
    'FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use',
    'FATAL:  lock file "postmaster.pid" already exists\nHINT:  Is another postmaster (PID 7) running?',
    'FATAL:  lock file "postmaster.pid" is empty',
    'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use',
  ])
    assert.ok(isPassing(output), output)
  for (const [output] of outputs) assert.ok(!isPassing(output), output)
})

test('errors of the file system become a line with the path, and others stay what they are', () => {
  const full = Object.assign(new Error('write'), { code: 'ENOSPC', path: '/d/file' })
  const explained = explainError(full, '/d')
  assert.ok(explained instanceof StartFailure)
  assert.match(explained.message, /disk that holds \/d\/file is full/)
  assert.equal(explained.cause, full)
  for (const other of [new Error('a bug'), Object.assign(new Error('x'), { code: 'EMFILE' }), 'text'])
    assert.equal(explainError(other, '/d'), other)
})
