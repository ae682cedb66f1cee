<?php
// A Laravel application, as small as one can be. Laravel itself is Debian's; LARAVEL names another's autoload.php.

// Laravel 8 is older than PHP 8.2.
error_reporting(E_ALL & ~E_DEPRECATED);
require getenv('LARAVEL');
spl_autoload_register(function (string $class) {
    if (str_starts_with($class, 'App\\')) require dirname(__DIR__) . '/app/' . strtr(substr($class, 4), '\\', '/') . '.php';
});

$app = new Illuminate\Foundation\Application(dirname(__DIR__));
$app->useStoragePath(getenv('SHOP_STORAGE'));
$app->singleton(Illuminate\Contracts\Http\Kernel::class, App\Http\Kernel::class);
$app->singleton(Illuminate\Contracts\Console\Kernel::class, Illuminate\Foundation\Console\Kernel::class);
$app->singleton(Illuminate\Contracts\Debug\ExceptionHandler::class, Illuminate\Foundation\Exceptions\Handler::class);

return $app;
