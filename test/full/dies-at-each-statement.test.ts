import { test } from 'node:test'
import { dieAtWork } from '#harness/die-at-work'

test('a process dies at each statement of its work: all that was accepted is posted, once', (t) => dieAtWork(t, 1))
