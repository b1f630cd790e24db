// Runs any TypeScript file of this package on the pinned runtime: node scripts/run.js FILE ARGUMENTS
import { run } from './runtime.js'

const [file, ...args] = process.argv.slice(2)
if (file) await run(file, args)
else {
  process.stderr.write('Name the file to run: node scripts/run.js FILE ARGUMENTS\n')
  process.exit(1)
}
