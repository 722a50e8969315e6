// Run once by the image, on an empty data folder: the user of the services may use one database and nothing else.
db.getSiblingDB('mairror').createUser({
  user: 'mairror',
  pwd: process.env.MONGO_PASSWORD,
  roles: [{ role: 'readWrite', db: 'mairror' }]
})
