#!/usr/bin/env node
import { run } from '../scripts/runtime.js'

await run('src/cli/main.ts', process.argv.slice(2))
