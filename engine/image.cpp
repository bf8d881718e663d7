// Layers that work on images as such: nailbed, blur, href, resize, rscale, rgb2yuv, rgb2lab (spec 2.3, 3.4).
#include <algorithm>
#include <cmath>

#include "device/philox.h"
#include "engine/families.h"

namespace convnet {
namespace {

class NailbedLayer final : public Layer {
public:
    NailbedLayer(const LayerConfig& config, const LayerContext& context)
        : Layer(config, context),
          channels_(config.integer("channels")),
          img_size_(config.integer("imgSize")),
          start_(config.integer("start")),
          stride_(config.integer("stride")) {}

private:
    void compute(const Pass& pass) override {
        device_.bed_of_nails(input(0).data(), outputs_.data(), channels_, img_size_, start_, stride_, pass.cases,
                             Scale{});
    }
    void input_gradient(int, const Matrix& gradient, Matrix& target, Scale scale, const Pass& pass) override {
        device_.bed_of_nails_gradient(gradient.data(), target.data(), channels_, img_size_, start_, stride_, pass.cases,
                                      scale);
    }

    const int channels_, img_size_, start_, stride_;
};

class BlurLayer final : public Layer {
public:
    BlurLayer(const LayerConfig& config, const LayerContext& context)
        : Layer(config, context),
          channels_(config.integer("channels")),
          img_size_(config.integer("imgSize")),
          filter_(config.array("filter").values) {}

private:
    void run(const Matrix& source, Matrix& target, Scale scale, int cases) {
        device_.blur(source.data(), filter_.data(), static_cast<int>(filter_.size()) / 2, target.data(), channels_,
                     img_size_, cases, scale);
    }
    void compute(const Pass& pass) override { run(input(0), outputs_, Scale{}, pass.cases); }
    void input_gradient(int, const Matrix& gradient, Matrix& target, Scale scale, const Pass& pass) override {
        run(gradient, target, scale, pass.cases);
    }

    const int channels_, img_size_;
    const std::vector<float> filter_;
};

class HrefLayer final : public Layer {
public:
    HrefLayer(const LayerConfig& config, const LayerContext& context)
        : Layer(config, context), channels_(config.integer("channels")), img_size_(config.integer("imgSize")) {}

private:
    void compute(const Pass& pass) override {
        device_.reflect_horizontal(input(0).data(), outputs_.data(), channels_, img_size_, pass.cases, Scale{});
    }
    void input_gradient(int, const Matrix& gradient, Matrix& target, Scale scale, const Pass& pass) override {
        device_.reflect_horizontal(gradient.data(), target.data(), channels_, img_size_, pass.cases, scale);
    }

    const int channels_, img_size_;
};

class ResizeLayer final : public Layer {
public:
    ResizeLayer(const LayerConfig& config, const LayerContext& context)
        : Layer(config, context),
          channels_(config.integer("channels")),
          img_size_(config.integer("imgSize")),
          tgt_size_(config.integer("tgtSize")),
          scale_(static_cast<float>(config.number("scale"))) {}

private:
    void compute(const Pass& pass) override {
        device_.resize_bilinear(input(0).data(), outputs_.data(), channels_, img_size_, tgt_size_, scale_, pass.cases);
    }

    const int channels_, img_size_, tgt_size_;
    const float scale_;
};

// In training every minibatch is resized by a random factor and cropped at a random place; else the centre
// of the unscaled images is cropped.
class RscaleLayer final : public Layer {
public:
    RscaleLayer(const LayerConfig& config, const LayerContext& context)
        : Layer(config, context),
          channels_(config.integer("channels")),
          img_size_(config.integer("imgSize")),
          tgt_size_(config.integer("tgtSize")),
          max_scale_(config.number("maxScale")),
          resized_(context.device) {}

private:
    // Sizes above the target's are drawn with a probability that grows as their square.
    int draw_extra(float u) const {
        const int most = img_size_ - static_cast<int>(img_size_ / max_scale_);
        double total = 0, running = 0;
        for (int s = 0; s <= most; s++) total += double(s + 1) * (s + 1);
        for (int s = 0; s < most; s++) {
            running += double(s + 1) * (s + 1);
            if (running > u * total) return s;
        }
        return most;
    }

    void crop(const float* images, int size, int y, int x, int cases) {
        device_.crop(images, outputs_.data(), channels_, size, tgt_size_, y, x, cases);
    }

    void compute(const Pass& pass) override {
        const int centre = (img_size_ - tgt_size_) / 2;
        if (!pass.train()) return crop(input(0).data(), img_size_, centre, centre, pass.cases);
        // Words of one Philox block: size, factor, and the crop's place.
        const auto words = philox(random_key(pass), 0);
        const int size = tgt_size_ + draw_extra(uniform(words[0]));
        const float* images = input(0).data();
        if (size != img_size_) {
            const double low = std::max(1.0, double(img_size_) / (size + 1)), high = double(img_size_) / size;
            resized_.resize(channels_ * size * size, pass.cases);
            device_.resize_bilinear(images, resized_.data(), channels_, img_size_, size,
                                    static_cast<float>(low + uniform(words[1]) * (high - low)), pass.cases);
            images = resized_.data();
        }
        const int places = size - tgt_size_ + 1;
        crop(images, size, static_cast<int>(uniform(words[2]) * places), static_cast<int>(uniform(words[3]) * places),
             pass.cases);
    }

    const int channels_, img_size_, tgt_size_;
    const double max_scale_;
    Matrix resized_;
};

class RgbToYuvLayer final : public Layer {
public:
    using Layer::Layer;

private:
    void compute(const Pass& pass) override {
        device_.rgb_to_yuv(input(0).data(), outputs_.data(), output_rows_ / 3, pass.cases);
    }
};

class RgbToLabLayer final : public Layer {
public:
    RgbToLabLayer(const LayerConfig& config, const LayerContext& context)
        : Layer(config, context), center_(config.integer("center") != 0) {}

private:
    void compute(const Pass& pass) override {
        device_.rgb_to_lab(input(0).data(), outputs_.data(), output_rows_ / 3, pass.cases, center_);
    }

    const bool center_;
};

}  // namespace

CONVNET_DEFINE_MAKER(nailbed, NailbedLayer)
CONVNET_DEFINE_MAKER(blur, BlurLayer)
CONVNET_DEFINE_MAKER(href, HrefLayer)
CONVNET_DEFINE_MAKER(resize, ResizeLayer)
CONVNET_DEFINE_MAKER(rscale, RscaleLayer)
CONVNET_DEFINE_MAKER(rgb2yuv, RgbToYuvLayer)
CONVNET_DEFINE_MAKER(rgb2lab, RgbToLabLayer)

}  // namespace convnet
