// node scripts/test.js [unit|log|full] [PART OF A FILE NAME …]
import { run } from './runtime.js'

await run('test/harness/run.ts', process.argv.slice(2))
