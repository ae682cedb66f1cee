<?php

namespace Fanfare\Laravel;

use Fanfare\Laravel\Api\Credentials;
use Fanfare\Laravel\Api\HttpApi;
use Fanfare\Laravel\Broadcasting\ApiPublisher;
use Fanfare\Laravel\Broadcasting\ChannelSigner;
use Fanfare\Laravel\Broadcasting\FanfareBroadcaster;
use Fanfare\Laravel\Broadcasting\JobKeys;
use Fanfare\Laravel\Broadcasting\Outbox;
use Fanfare\Laravel\Console\InstallCommand;
use Illuminate\Broadcasting\BroadcastManager;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Queue\Events\JobExceptionOccurred;
use Illuminate\Queue\Events\JobProcessed;
use Illuminate\Queue\Events\JobProcessing;
use Illuminate\Support\ServiceProvider;

/** Adds the broadcast driver `fanfare`, the routes that the server calls, and the installer. Laravel discovers it by itself. */
class FanfareServiceProvider extends ServiceProvider
{
    public function register(): void
    {
        $this->mergeConfigFrom(__DIR__.'/../config/fanfare.php', 'fanfare');
        $this->app->singleton(JobKeys::class);
        $this->app->singleton(Fanfare::class, fn (Application $app) => self::client($app['config']['fanfare']));
        $this->app->bind(Credentials::class, fn (Application $app) => new Credentials($app['config']['fanfare']));
        $this->app->bind(Outbox::class, fn (Application $app) => self::outbox($app, $app['config']['fanfare']));
    }

    public function boot(): void
    {
        $this->addConnections();
        $this->callAfterResolving(BroadcastManager::class, function (BroadcastManager $manager) {
            $manager->extend('fanfare', fn (Application $app, array $config) => FanfareServiceProvider::broadcaster($app, $config));
        });
        $this->loadRoutesFrom(__DIR__.'/../routes/fanfare.php');
        $this->followJobs();
        if ($this->app->runningInConsole()) {
            $this->publishes([__DIR__.'/../config/fanfare.php' => $this->app->configPath('fanfare.php')], 'fanfare-config');
            $this->commands([InstallCommand::class]);
        }
    }

    /** What a connection in config/broadcasting.php does not say, config/fanfare.php says. */
    public static function broadcaster(Application $app, array $connection): FanfareBroadcaster
    {
        $config = array_merge($app['config']['fanfare'], $connection);
        $publisher = $config['publish_by'] === 'outbox' ? self::outbox($app, $config) : new ApiPublisher(self::client($config));

        return new FanfareBroadcaster(
            new ChannelSigner(new Credentials($config), $config['encryption_key'] ?? null),
            $publisher,
            $app->make(JobKeys::class),
        );
    }

    private static function client(array $config): Fanfare
    {
        $credentials = new Credentials($config);

        return new Fanfare($credentials, new HttpApi($credentials, $config));
    }

    private static function outbox(Application $app, array $config): Outbox
    {
        ['connection' => $connection, 'table' => $table] = $config['outbox'];

        return new Outbox(new Credentials($config), $app['db'], $connection, $table);
    }

    /** Without a line in config/broadcasting.php, which Laravel 11 and newer do not have until it is published. */
    private function addConnections(): void
    {
        $connections = $this->app['config']->get('broadcasting.connections', []);
        $this->app['config']->set('broadcasting.connections', $connections + [
            'fanfare' => ['driver' => 'fanfare'],
            'fanfare-outbox' => ['driver' => 'fanfare', 'publish_by' => 'outbox'],
        ]);
    }

    private function followJobs(): void
    {
        $events = $this->app['events'];
        $keys = fn (): JobKeys => $this->app->make(JobKeys::class);
        $events->listen(JobProcessing::class, fn (JobProcessing $event) => $keys()->enter($event->job));
        $events->listen(JobProcessed::class, fn (JobProcessed $event) => $keys()->leave($event->job));
        $events->listen(JobExceptionOccurred::class, fn (JobExceptionOccurred $event) => $keys()->leave($event->job));
    }
}
