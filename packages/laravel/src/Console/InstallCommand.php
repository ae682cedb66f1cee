<?php

namespace Fanfare\Laravel\Console;

use Illuminate\Console\Command;
use Illuminate\Support\Str;

/** Fills in the `.env`, publishes the configuration, and switches routes/channels.php on. Run again, it changes nothing that is there. */
class InstallCommand extends Command
{
    protected $signature = 'fanfare:install {--hooks : Also write fanfare.config.json, by which the server asks and notifies this application}';

    protected $description = 'Broadcast with Fanfare: .env, configuration and routes';

    public function handle(): int
    {
        $path = $this->laravel->environmentFilePath();
        if (! is_file($path)) {
            $this->error("There is no {$path}: copy .env.example first.");

            return self::FAILURE;
        }
        $appId = $this->fillEnv(new EnvFile($path));
        $this->call('vendor:publish', ['--tag' => 'fanfare-config']);
        $this->enableChannels();
        if ($this->option('hooks')) {
            $this->writeServerConfig($appId);
        }
        $this->line('Start the server in this folder: npx fanfare, or node packages/server/bin/fanfare.js of a checkout by its path.');

        return self::SUCCESS;
    }

    private function fillEnv(EnvFile $env): string
    {
        // The one that config/broadcasting.php reads: Laravel 11 changed its name.
        $names = array_filter(['BROADCAST_CONNECTION', 'BROADCAST_DRIVER'], [$env, 'has']);
        foreach ($names ?: [version_compare($this->laravel->version(), '11', '<') ? 'BROADCAST_DRIVER' : 'BROADCAST_CONNECTION'] as $name) {
            if ($env->get($name) !== 'fanfare-outbox') {
                $env->set($name, 'fanfare');
            }
        }
        $prefix = $env->get('PUSHER_APP_KEY') === '' && $env->get('REVERB_APP_KEY') !== '' ? 'REVERB' : 'PUSHER';
        $filled = $env->fill([
            "{$prefix}_APP_ID" => (string) random_int(100000, 999999),
            "{$prefix}_APP_KEY" => Str::lower(Str::random(20)),
            "{$prefix}_APP_SECRET" => Str::random(40),
        ]);
        // Laravel 9 and 10 come with port and scheme of Pusher's own servers, and without a host.
        if ($env->get("{$prefix}_HOST") === '') {
            foreach (['HOST' => '127.0.0.1', 'PORT' => '9501', 'SCHEME' => 'http'] as $name => $value) {
                $env->set("{$prefix}_{$name}", $value);
                $filled[] = "{$prefix}_{$name}";
            }
        }
        $filled = [...$filled, ...$env->fill($this->forThePage($prefix))];
        $env->save();
        $this->line('.env: broadcasts go to fanfare'.($filled === [] ? '.' : '; filled in: '.implode(', ', $filled).'.'));

        return $env->get("{$prefix}_APP_ID");
    }

    /** By these names Laravel's echo.js reads them. */
    private function forThePage(string $prefix): array
    {
        $bundler = is_file($this->laravel->basePath('webpack.mix.js')) ? 'MIX' : 'VITE';
        $names = ['APP_KEY', 'HOST', 'PORT', 'SCHEME'];
        $values = [];
        foreach ($names as $name) {
            $values["{$bundler}_{$prefix}_{$name}"] = "\"\${{$prefix}_{$name}}\"";
        }

        return $prefix === 'REVERB' ? $values : ['PUSHER_APP_CLUSTER' => 'mt1', "{$bundler}_PUSHER_APP_CLUSTER" => '"${PUSHER_APP_CLUSTER}"'] + $values;
    }

    private function enableChannels(): void
    {
        $channels = $this->laravel->basePath('routes/channels.php');
        if (! is_file($channels)) {
            file_put_contents($channels, <<<'PHP'
                <?php

                use Illuminate\Support\Facades\Broadcast;

                Broadcast::channel('App.Models.User.{id}', function ($user, $id) {
                    return (int) $user->id === (int) $id;
                });

                PHP);
            $this->line('Written: routes/channels.php, which says who may join which channel.');
        }
        if ($this->laravel['router']->getRoutes()->getByAction('Illuminate\Broadcasting\BroadcastController@authenticate') !== null) {
            return;
        }
        $isDone = self::replaceIn(
            // Laravel 11 and newer.
            $this->laravel->bootstrapPath('app.php'),
            '/^( *)commands: __DIR__\.\'\/\.\.\/routes\/console\.php\',\n(?!\s*channels:)/m',
            "\$0\$1channels: __DIR__.'/../routes/channels.php',\n",
        ) || self::replaceIn(
            // Laravel 8 to 10.
            $this->laravel->configPath('app.php'),
            '/^( *)\/\/ *(App\\\\Providers\\\\BroadcastServiceProvider::class,)/m',
            '$1$2',
        );
        $isDone
            ? $this->line('Switched on: routes/channels.php, and /broadcasting/auth with it.')
            : $this->warn('Nothing answers /broadcasting/auth yet: call Broadcast::routes(), and load routes/channels.php.');
    }

    private static function replaceIn(string $path, string $pattern, string $replacement): bool
    {
        $text = is_file($path) ? file_get_contents($path) : '';
        $changed = preg_replace($pattern, $replacement, $text, 1, $count);

        return $count === 1 && file_put_contents($path, $changed) !== false;
    }

    /** Key and secret stay in the `.env`. */
    private function writeServerConfig(string $appId): void
    {
        $path = $this->laravel->basePath('fanfare.config.json');
        if (is_file($path)) {
            $this->warn('fanfare.config.json is there already, and stays as it is.');

            return;
        }
        $url = rtrim($this->laravel['config']->get('app.url'), '/');
        $at = parse_url($url);
        if (! isset($at['scheme'], $at['host'])) {
            $this->error("APP_URL is no address that the server could call: {$url}");

            return;
        }
        $origin = "{$at['scheme']}://{$at['host']}".(isset($at['port']) ? ":{$at['port']}" : '');
        $routes = $this->laravel['config']->get('fanfare.routes');
        $app = [
            'id' => $appId,
            'allowedOrigins' => [$origin],
            'webhooks' => [['url' => "{$url}/{$routes['webhook']}"]],
            'hooks' => [
                'url' => "{$url}/{$routes['hooks']}",
                'forward' => ['cookie'],
                'connect' => true,
                'subscribe' => ['channels' => ['private-*', 'presence-*']],
            ],
        ];
        // Webhooks go to no private address unless that is permitted.
        $config = ['apps' => [$app]] + (self::isPrivate($at['host']) ? ['webhooks' => ['allowPrivate' => true]] : []);
        file_put_contents($path, json_encode($config, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES)."\n");
        $this->line("Written: fanfare.config.json, by which the server asks {$url}.");
    }

    private static function isPrivate(string $host): bool
    {
        if (preg_match('/(^|\.)(localhost|local|test)$/', $host)) {
            return true;
        }
        $address = gethostbyname($host);
        $isPublic = filter_var($address, FILTER_VALIDATE_IP, FILTER_FLAG_NO_PRIV_RANGE | FILTER_FLAG_NO_RES_RANGE);

        return filter_var($address, FILTER_VALIDATE_IP) && ! $isPublic;
    }
}
