import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from '#kernel/errors'
import { refuseForgetfulDisk } from './disk.ts'

test('a spool in memory is refused, and one on a disk is not', () => {
  const types = { '/ext4': 0xef53, '/tmpfs': 0x01021994, '/ramfs': 0x858458f6 } as const
  const typeOf = (path: string): number => types[path as keyof typeof types]
  refuseForgetfulDisk('/ext4', typeOf)
  for (const directory of ['/tmpfs', '/ramfs']) {
    assert.throws(() => refuseForgetfulDisk(directory, typeOf), UsageError)
  }
})
