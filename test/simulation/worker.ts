import { systemClock } from '#kernel/clock'
import { systemRandom } from '#kernel/random'
import { runSchedule } from './schedule.ts'
import { Sessions } from './sessions.ts'
import { createStore } from './store.ts'
import { createSystem } from './system.ts'

/** Runs the schedules it is sent, on a database of its own: `SIMULATION_SERVER=… worker.ts DATABASE`. */
const serverUrl = process.env.SIMULATION_SERVER ?? ''
const [name = ''] = process.argv.slice(2)

const url = await createStore(serverUrl, name, async (database) => {
  const fetch = () => Promise.reject(new Error('nothing is called while the store is made'))
  const seams = { name: 'setup', database, clock: systemClock, random: systemRandom, fetch }
  await createSystem(seams, { poison: new Set(), backlogMax: 1, parked: () => {} }).prepare()
})
const sessions = await Sessions.open(url)

process.on('message', (seed: string) => {
  // A failure of the machinery itself ends the process, and its parent says so.
  void runSchedule(seed, sessions).then((outcome) => process.send?.(outcome))
})
process.once('disconnect', () => process.exit(0))
process.send?.('ready')
