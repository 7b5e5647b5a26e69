import 'reflect-metadata'
import { type BeforeApplicationShutdown, Controller, Get, Inject, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { createLandfall, type Landfall } from 'landfall'

const LANDFALL = Symbol('landfall')

@Controller()
class AppController {
  @Get()
  hello(): string {
    return 'Hello from the application.\n'
  }
}

@Module({
  controllers: [AppController],
  providers: [
    { provide: LANDFALL, useFactory: () => createLandfall({ dataDir: process.env['DATA_DIR'] ?? './data' }) },
  ],
})
class AppModule implements BeforeApplicationShutdown {
  @Inject(LANDFALL) private readonly landfall!: Landfall

  beforeApplicationShutdown(): Promise<void> {
    return this.landfall.close()
  }
}

const app = await NestFactory.create(AppModule)
// Before `listen`, and so before the body parsers.
app.use('/uploads', app.get<Landfall>(LANDFALL).handler)
app.enableShutdownHooks()

const server = await app.listen(process.env['PORT'] ?? 3000)
server.requestTimeout = 0
console.log(`Listening on http://localhost:${server.address().port}`)
