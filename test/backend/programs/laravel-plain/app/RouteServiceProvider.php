<?php

namespace App;

use Illuminate\Support\Facades\Route;

class RouteServiceProvider extends \Illuminate\Foundation\Support\Providers\RouteServiceProvider
{
    /** The hooks are in it, too, for the sake of the session, and outside of the CSRF check, which this application has none of. */
    public function map(): void
    {
        Route::middleware('web')->group(base_path('routes/web.php'));
    }
}
