import { openDatabase } from '#kernel/postgres-database'
import { systemRandom } from '#kernel/random'
import { createArchive } from '#log/archive'
import { archiveAll } from './archive.ts'

// Archives everything and drops all it can, over and over, until it is killed: started by test/full/archiver-killed.test.ts.

const [url = '', directory = ''] = process.argv.slice(2)
const database = openDatabase({ url, connectionsMax: 2, applicationName: 'archiver' })
const archive = createArchive(directory, systemRandom)
process.stdout.write('ready\n')
while (true) await archiveAll(database, archive, 0)
