export { startDeliverer } from './deliverer.ts'
export { type Destination, deliveryGroup, type Outcome } from './destination.ts'
export { type Delivery, enqueue } from './sql.ts'
