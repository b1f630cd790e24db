import test from 'node:test'
import { postgresEngine } from '#harness/log'
import { conformance } from './conformance.ts'

for (const { name, holds } of conformance) test(name, (t) => holds(t, postgresEngine))
